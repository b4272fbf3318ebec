// Package sqlite keeps users and revocations in an SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Memory is the path of a database that lives in memory, until it is closed.
const Memory = ":memory:"

// maxConnections lets look-ups go on beside the one writer that SQLite allows at a time; other writers wait for it.
const maxConnections = 4

//go:embed migrations/*.sql
var migrations embed.FS

// DB is a database. Its stores can be used between Open and Close.
type DB struct {
	path string
	sql  *sql.DB
}

// NewDB returns the database in the file at path.
func NewDB(path string) *DB {
	return &DB{path: path}
}

// Open opens the database and brings its schema up to date. A new file is readable by its owner alone. Several processes
// may open one file at once.
func (db *DB) Open(ctx context.Context) error {
	if err := createFile(db.path); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	opened, err := sql.Open("sqlite", dataSource(db.path))
	if err != nil {
		return fmt.Errorf("open database %s: %w", db.path, err)
	}
	opened.SetMaxOpenConns(maxConnections)
	if db.path == Memory { // each connection would be a database of its own
		opened.SetMaxOpenConns(1)
	}
	if err := migrate(ctx, opened); err != nil {
		return errors.Join(fmt.Errorf("migrate database %s: %w", db.path, err), opened.Close())
	}
	db.sql = opened
	return nil
}

// Close waits for the statements that run.
func (db *DB) Close() error {
	if err := db.sql.Close(); err != nil {
		return fmt.Errorf("close database %s: %w", db.path, err)
	}
	return nil
}

// createFile is there because SQLite would make a file that everyone can read. The files that SQLite puts beside it get
// its mode. A file that exists is not even opened: to close it would drop the locks that SQLite holds on it in this
// process (https://www.sqlite.org/howtocorrupt.html, section 2.2).
func createFile(path string) error {
	if path == Memory {
		return nil
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// dataSource returns the database's URI (https://www.sqlite.org/uri.html) with the settings of its connections
// (https://www.sqlite.org/pragma.html).
func dataSource(path string) string {
	settings := url.Values{
		"_pragma": {
			"busy_timeout(5000)", // ms; the first, because the others may have to wait too
			"journal_mode(WAL)",
			"synchronous(FULL)", // a logout survives a power cut
			"foreign_keys(ON)",
		},
		// A transaction that reads first and writes later could not wait for another writer: it would fail.
		"_txlock": {"immediate"},
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + settings.Encode()
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	// goose has no lock for SQLite. A process that starts at the same time may be faster with a migration, and ours
	// fails, once for each migration and once for the table that goose keeps; the next try finds it done.
	for range len(provider.ListSources()) + 1 {
		if _, err = provider.Up(ctx); err == nil {
			return nil
		}
	}
	_, err = provider.Up(ctx)
	return err
}
