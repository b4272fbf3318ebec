package sqlite

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
	"example.com/warren/cmd/warren/internal/skeleton/internal/storetest"
	"example.com/warren/pkg/sqlite/sqlitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMigrations(t *testing.T) { sqlitetest.Migrations(t, migrations) }

func TestWidgetStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) app.WidgetStore {
		store := NewWidgetStore(filepath.Join(t.TempDir(), "test.db"))
		if err := store.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return store
	})
}
