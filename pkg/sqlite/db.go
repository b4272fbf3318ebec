// Package sqlite opens the SQLite files of services.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// lockPatience is how long to wait for another process to give up a lock.
const lockPatience = 5 * time.Second

// DB is a database in a file. It can be used between Open and Close.
//
// SQLite has one writer at a time. The writes of this process share one connection, so that they wait for each other in
// order and end with their contexts; reads have connections of their own, which in WAL mode no writer holds up
// (https://www.sqlite.org/wal.html).
type DB struct {
	path       string
	migrations fs.FS
	writer     *sql.DB
	reader     *sql.DB
}

// NewDB returns the database in the file at path. migrations has its schema: SQL files for goose
// (https://pressly.github.io/goose/documentation/annotations/) in the folder migrations, as //go:embed migrations/*.sql
// makes it.
func NewDB(path string, migrations fs.FS) *DB { return &DB{path: path, migrations: migrations} }

// Open opens the database and brings its schema up to date. A new file is readable by its owner alone. Several processes
// may open one file at once. A migration that fails is tried again for 5 s.
func (db *DB) Open(ctx context.Context) error {
	if err := createFile(db.path); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	if err := db.connect(); err != nil {
		return fmt.Errorf("open database %s: %w", db.path, err)
	}
	if err := migrate(ctx, db.writer, db.migrations); err != nil {
		return errors.Join(fmt.Errorf("migrate database %s: %w", db.path, err), db.Close())
	}
	return nil
}

// Close waits for the statements that run.
func (db *DB) Close() error {
	if err := errors.Join(db.reader.Close(), db.writer.Close()); err != nil {
		return fmt.Errorf("close database %s: %w", db.path, err)
	}
	return nil
}

// Writer is for statements that write and for transactions, which hold the write lock from their start: what they have
// read stays true until they commit.
func (db *DB) Writer() *sql.DB { return db.writer }

// Reader is for queries. It refuses to write.
func (db *DB) Reader() *sql.DB { return db.reader }

// createFile is there because SQLite would make a file that everyone can read. The files that SQLite puts beside it get
// its mode. A file that exists is not even opened: to close it would drop the locks that SQLite holds on it in this
// process (https://www.sqlite.org/howtocorrupt.html, section 2.2).
func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// connect makes the pools; their connections are opened when they are first used.
func (db *DB) connect() error {
	path, err := filepath.Abs(db.path) // SQLite sees more than a file in :memory: and //name
	if err != nil {
		return err
	}
	// A transaction that began as a reader could fail when it comes to write: these begin as writers.
	db.writer, err = sql.Open("sqlite", dataSource(path, url.Values{"_txlock": {"immediate"}, "_journal_mode": {"WAL"}}))
	if err != nil {
		return err
	}
	db.writer.SetMaxOpenConns(1)
	db.reader, err = sql.Open("sqlite", dataSource(path, url.Values{"_query_only": {"true"}}))
	if err != nil {
		return errors.Join(err, db.writer.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	db.reader.SetMaxOpenConns(readers)
	db.reader.SetMaxIdleConns(readers)
	return nil
}

// dataSource returns the database's URI (https://www.sqlite.org/uri.html) with the settings of its connections
// (https://www.sqlite.org/pragma.html).
func dataSource(path string, settings url.Values) string {
	settings.Set("_busy_timeout", fmt.Sprint(lockPatience.Milliseconds()))
	settings.Set("_foreign_keys", "true")
	settings.Set("_synchronous", "FULL") // what was committed survives a power cut
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + settings.Encode()
}
