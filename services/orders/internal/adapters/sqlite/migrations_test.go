package sqlite

import (
	"testing"

	"example.com/warren/pkg/sqlite/sqlitetest"
)

func TestMigrations(t *testing.T) { sqlitetest.Migrations(t, migrations) }
