// Package sqlite stores orders in an SQLite file.
package sqlite

import (
	"embed"

	"example.com/warren/pkg/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is the database of the orders.
type DB = sqlite.DB

// NewDB returns the database in the file at path. Open it before use.
func NewDB(path string) *DB { return sqlite.NewDB(path, migrations) }
