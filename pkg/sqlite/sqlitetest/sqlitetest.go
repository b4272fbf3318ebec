// Package sqlitetest tests the migrations that services give to package sqlite.
package sqlitetest

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"example.com/warren/pkg/sqlite"
)

// Migrations fails the test unless migrating down removes everything that migrating up creates, and migrating up works
// again afterwards. migrations is the argument of sqlite.NewDB.
func Migrations(t *testing.T, migrations fs.FS) {
	t.Helper()
	db := sqlite.NewDB(filepath.Join(t.TempDir(), "test.db"), migrations)
	if err := db.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	up := schema(t, db.Reader())
	if len(up) == 0 {
		t.Fatal("the migrations create nothing")
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.Writer(), files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if left := schema(t, db.Reader()); len(left) != 0 {
		t.Errorf("left after migrating down: %v", left)
	}
	if _, err := provider.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(up, schema(t, db.Reader())); diff != "" {
		t.Errorf("schema after migrating up again (-want +got):\n%s", diff)
	}
}

// schema returns the statements that created the database's tables and indexes, by name.
func schema(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT name, coalesce(sql, '') FROM sqlite_schema
		WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	objects := map[string]string{}
	for rows.Next() {
		var name, statement string
		if err := rows.Scan(&name, &statement); err != nil {
			t.Fatal(err)
		}
		objects[name] = statement
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return objects
}
