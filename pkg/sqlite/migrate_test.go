package sqlite_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"example.com/warren/pkg/sqlite"
	"example.com/warren/pkg/sqlite/sqlitetest"
)

func TestMigrations(t *testing.T) { sqlitetest.Migrations(t, migrations) }

// A new version of a service applies its new migrations to the file of the old version.
func TestNewMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	old := fstest.MapFS{}
	maps.Copy(old, migrations)
	delete(old, "migrations/00002_create_notes.sql")
	db := sqlite.NewDB(path, old)
	if err := db.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := count(t.Context(), db); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path)
	if _, err := db.Writer().ExecContext(t.Context(), `INSERT INTO notes (counter, text) VALUES ('visits', 'x')`); err != nil {
		t.Error(err)
	}
	wantValue(t, db, 1)
}

// Retries of a migration that cannot succeed end, and the migration leaves nothing behind.
func TestBadMigration(t *testing.T) {
	bad := fstest.MapFS{"migrations/00003_bad.sql": {Data: []byte("-- +goose Up\nDELETE FROM counters;\nDROP TABLE missing;\n")}}
	maps.Copy(bad, migrations)
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := sqlite.NewDB(path, bad).Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "no such table: missing") ||
			isTemporary(err) {
			t.Errorf("got %v, want an error that names the path and the cause", err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
	wantValue(t, open(t, path), 0)
}
