package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"example.com/warren/pkg/sqlite"
)

// migrations create a table of counters and a table that refers to it.
var migrations = fstest.MapFS{
	"migrations/00001_create_counters.sql": {Data: []byte(`-- +goose Up
CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO counters (name, value) VALUES ('visits', 0);
-- +goose Down
DROP TABLE counters;
`)},
	"migrations/00002_create_notes.sql": {Data: []byte(`-- +goose Up
CREATE TABLE notes (counter TEXT NOT NULL REFERENCES counters (name), text TEXT NOT NULL) STRICT;
CREATE INDEX notes_of_counter ON notes (counter);
-- +goose Down
DROP TABLE notes;
`)},
}

func open(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db := sqlite.NewDB(path, migrations)
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

func newDB(t *testing.T) *sqlite.DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "test.db"))
}

// count increments the counter in a transaction that reads before it writes.
func count(ctx context.Context, db *sqlite.DB) error {
	tx, err := db.Writer().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no-op after a commit
	n, err := value(ctx, tx)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE counters SET value = ? WHERE name = 'visits'`, n+1); err != nil {
		return err
	}
	return tx.Commit()
}

// queryer is a *sql.DB or a *sql.Tx.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func value(ctx context.Context, db queryer) (n int, err error) {
	err = db.QueryRowContext(ctx, `SELECT value FROM counters WHERE name = 'visits'`).Scan(&n)
	return n, err
}

func wantValue(t *testing.T, db *sqlite.DB, want int) {
	t.Helper()
	if got, err := value(t.Context(), db.Reader()); err != nil || got != want {
		t.Errorf("the counter is at %d, %v; want %d", got, err, want)
	}
}

func TestOnlyTheOwnerReadsFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	open(t, path)
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
	for _, name := range []string{
		"test.db", "with space.db", "question?mode=memory.db", "50%20off#1.db", "a:b.db", ":memory:", "file:ü.db",
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			db := sqlite.NewDB(name, migrations)
			if err := db.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := count(t.Context(), db); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(".")
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) != 1 || entries[0].Name() != name {
				t.Errorf("files after close: %v, want only %s", entries, name)
			}
			path, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			wantValue(t, open(t, "/"+path), 1) // two slashes name the same file
		})
	}
}

func TestOpenErrors(t *testing.T) {
	t.Run("no path", func(t *testing.T) {
		if err := sqlite.NewDB("", migrations).Open(t.Context()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
	})
	t.Run("no such directory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "missing", "test.db")
		err := sqlite.NewDB(path, migrations).Open(t.Context())
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want an error that names the path", err)
		}
	})
	t.Run("a directory", func(t *testing.T) {
		path := t.TempDir()
		if err := sqlite.NewDB(path, migrations).Open(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want an error that names the path", err)
		}
	})
	t.Run("not a database", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		content := []byte(strings.Repeat("not a database. ", 100))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		err := sqlite.NewDB(path, migrations).Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "not a database") || isTemporary(err) {
			t.Errorf("got %v, want an error that names the path and the cause", err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
			t.Errorf("the file was changed (read error %v)", err)
		}
	})
	t.Run("no migrations", func(t *testing.T) {
		err := sqlite.NewDB(filepath.Join(t.TempDir(), "test.db"), fstest.MapFS{}).Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), "migrat") {
			t.Errorf("got %v, want an error about the migrations", err)
		}
	})
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := sqlite.NewDB(filepath.Join(t.TempDir(), "test.db"), migrations).Open(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

// isTemporary reports whether a service tries again after err.
func isTemporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// Open can be called again when the file could not be used, and succeeds once it can.
func TestOpenAgain(t *testing.T) {
	tests := map[string]struct {
		spoil, mend func(path string) error
	}{
		"no folder": {
			func(path string) error { return os.Remove(filepath.Dir(path)) },
			func(path string) error { return os.Mkdir(filepath.Dir(path), 0o700) },
		},
		"a file for a folder": {
			func(path string) error {
				return errors.Join(os.Remove(filepath.Dir(path)), os.WriteFile(filepath.Dir(path), nil, 0o600))
			},
			func(path string) error {
				return errors.Join(os.Remove(filepath.Dir(path)), os.Mkdir(filepath.Dir(path), 0o700))
			},
		},
		"a folder for the file": {
			func(path string) error { return os.Mkdir(path, 0o700) },
			os.Remove,
		},
		"a folder for the log": {
			func(path string) error { return os.Mkdir(path+"-wal", 0o700) },
			func(path string) error { return os.Remove(path + "-wal") },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data", "test.db")
			if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), test.spoil(path)); err != nil {
				t.Fatal(err)
			}
			db := sqlite.NewDB(path, migrations)
			if err := db.Open(t.Context()); !isTemporary(err) {
				t.Errorf("got %v, want a temporary error", err)
			}
			if err := test.mend(path); err != nil {
				t.Fatal(err)
			}
			if err := db.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantValue(t, db, 0)
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLockedIsTemporary has another process hold the write lock.
func TestLockedIsTemporary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	other, err := open(t, path).Writer().BeginTx(t.Context(), nil) // takes the lock
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	connection, err := open(t, path).Writer().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err = connection.ExecContext(t.Context(), `PRAGMA busy_timeout = 0`); err != nil {
		t.Fatal(err)
	}
	_, err = connection.ExecContext(t.Context(), `BEGIN IMMEDIATE`)
	if err == nil || isTemporary(err) {
		t.Fatalf("got %v, want an error of the driver", err)
	}
	if err := sqlite.MarkTemporary(fmt.Errorf("seed: %w", err)); !isTemporary(err) {
		t.Errorf("%v is not temporary", err)
	}
	if err := sqlite.MarkTemporary(errors.New("another")); isTemporary(err) {
		t.Errorf("%v is temporary", err)
	}
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := open(t, path)
	expect := func(want string) {
		t.Helper()
		err := db.Check(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	expect("")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	expect("no such file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("restart the service")
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	expect("")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// Every connection has the settings, not only the first.
func TestConnections(t *testing.T) {
	db := newDB(t)
	tests := map[string]struct {
		pool        *sql.DB
		connections int
		queryOnly   string
	}{
		"writer": {db.Writer(), 1, "0"},
		"reader": {db.Reader(), 4, "1"},
	}
	for name, test := range tests {
		want := map[string]string{
			"journal_mode": "wal", "busy_timeout": "5000", "foreign_keys": "1", "synchronous": "2", "query_only": test.queryOnly,
		}
		for range test.connections {
			connection, err := test.pool.Conn(t.Context()) // kept open, so that the next one is new
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = connection.Close() })
			got := map[string]string{}
			for setting := range want {
				var value string
				if err := connection.QueryRowContext(t.Context(), "PRAGMA "+setting).Scan(&value); err != nil {
					t.Fatal(err)
				}
				got[setting] = value
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("settings of the %s (-want +got):\n%s", name, diff)
			}
		}
	}
}

// Two databases of a service may have the same file name.
func TestRegister(t *testing.T) {
	first, second := newDB(t), newDB(t)
	registry := prometheus.NewRegistry()
	for _, db := range []*sqlite.DB{first, second} {
		if err := db.Register(registry); err != nil {
			t.Fatal(err)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if n := len(family.GetMetric()); n != 4 {
			t.Errorf("%s of %d pools, want 4", family.GetName(), n)
		}
	}
	if err := second.Register(registry); err == nil || !strings.Contains(err.Error(), "test.db") {
		t.Errorf("the same database again: %v, want an error that names it", err)
	}
}

func TestReaderRefusesToWrite(t *testing.T) {
	db := newDB(t)
	if _, err := db.Reader().ExecContext(t.Context(), `UPDATE counters SET value = 7`); err == nil {
		t.Error("no error")
	}
	wantValue(t, db, 0)
}

func TestForeignKeys(t *testing.T) {
	_, err := newDB(t).Writer().ExecContext(t.Context(), `INSERT INTO notes (counter, text) VALUES ('unknown', 'x')`)
	if err == nil || !strings.Contains(err.Error(), "FOREIGN KEY") {
		t.Errorf("got %v, want an error about the foreign key", err)
	}
}
