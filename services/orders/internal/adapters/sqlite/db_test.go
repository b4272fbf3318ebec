package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"example.com/warren/services/orders/internal/adapters/sqlite"
)

func open(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db := sqlite.NewDB(path)
	if err := db.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.db")
	create(t, sqlite.NewOrderStore(open(t, path)), order("o1", "c1", noon))
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", filepath.Base(name), mode)
		}
	}
}

func TestReopen(t *testing.T) {
	for _, name := range []string{"orders.db", "with space.db", "question?mode=memory.db", "50%20off#1.db", "a:b.db"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			db := sqlite.NewDB(path)
			if err := db.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			create(t, sqlite.NewOrderStore(db), order("o1", "c1", noon))
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) != 1 || entries[0].Name() != name {
				t.Errorf("files after close: %v, want %s alone", entries, name)
			}
			if _, err := sqlite.NewOrderStore(open(t, path)).Get(t.Context(), "o1"); err != nil {
				t.Errorf("order after reopening: %v", err)
			}
		})
	}
}

func TestOpenRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	open(t, "orders.db")
	if _, err := os.Stat("orders.db"); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Run("no such directory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "missing", "orders.db")
		err := sqlite.NewDB(path).Open(t.Context())
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want one that names the path", err)
		}
	})
	t.Run("not a database", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "orders.db")
		content := []byte(strings.Repeat("not a database. ", 100))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		db := sqlite.NewDB(path)
		err := db.Open(t.Context())
		if err == nil {
			t.Fatalf("opened, close: %v", db.Close())
		}
		if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "not a database") {
			t.Errorf("got %v, want one that names the path and the cause", err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
			t.Errorf("the file was changed (read error %v)", err)
		}
	})
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := sqlite.NewDB(filepath.Join(t.TempDir(), "orders.db")).Open(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

// Replicas that start at once on a new file all come up.
func TestOpenConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.db")
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			db := sqlite.NewDB(path)
			if err := db.Open(t.Context()); err != nil {
				return err
			}
			return db.Close()
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}
