package sqlite

import (
	"path/filepath"
	"testing"

	"example.com/warren/cmd/warren/internal/skeleton/internal/storetest"
	"example.com/warren/pkg/sqlite/sqlitetest"
)

func TestMigrations(t *testing.T) { sqlitetest.Migrations(t, migrations) }

func TestStore(t *testing.T) {
	store := NewStore(filepath.Join(t.TempDir(), "test.db"))
	if err := store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, store)
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
