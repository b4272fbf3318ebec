package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing/fstest"

	"example.com/warren/pkg/sqlite"
)

// A service embeds its migrations: //go:embed migrations/*.sql.
var greetings = fstest.MapFS{
	"migrations/00001_create_greetings.sql": {Data: []byte(`-- +goose Up
CREATE TABLE greetings (name TEXT NOT NULL PRIMARY KEY, text TEXT NOT NULL) STRICT;
-- +goose Down
DROP TABLE greetings;
`)},
}

func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "sqlite")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()

	db := sqlite.NewDB(filepath.Join(folder, "greetings.db"), greetings)
	if err := db.Open(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()

	_, err = db.Writer().ExecContext(ctx, `INSERT INTO greetings (name, text) VALUES (?, ?)`, "Ada", "Good morning")
	if err != nil {
		fmt.Println(err)
		return
	}
	var text string
	err = db.Reader().QueryRowContext(ctx, `SELECT text FROM greetings WHERE name = ?`, "Ada").Scan(&text)
	fmt.Println(text, err)

	// Output:
	// Good morning <nil>
}
