// Package sqlite opens the SQLite databases of services and migrates their schemas.
//
// # Reads and writes
//
// A [DB] has two connection pools. [DB.Writer] has one connection, because SQLite has one writer at a time: the writes
// of this process queue for it in order, and stop waiting when their contexts end. [DB.Reader] has several connections
// for queries. In [WAL mode], no writer blocks them.
//
// Several processes can use one file. A writer waits up to 5 s for another process to release the lock. A committed
// transaction survives a power cut.
//
// # Migrations
//
// A service embeds its schema as SQL files for [goose], which [DB.Open] applies. Test them with
// [example.com/warren/pkg/sqlite/sqlitetest.Migrations].
//
// [WAL mode]: https://www.sqlite.org/wal.html
// [goose]: https://pressly.github.io/goose/documentation/annotations/
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
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// lockTimeout is how long to wait for another process to release a lock.
const lockTimeout = 5 * time.Second

// DB is a database in a file. Use it between Open and Close.
type DB struct {
	path       string
	migrations fs.FS
	writer     *sql.DB
	reader     *sql.DB
	file       fs.FileInfo // what Open found at path
}

// NewDB returns the database in the file at path. The folder migrations of the file system migrations has the schema, as
// //go:embed migrations/*.sql provides it.
func NewDB(path string, migrations fs.FS) *DB { return &DB{path: path, migrations: migrations} }

// Open opens the database, creates the file if there is none, and applies the missing migrations. Only the owner can read
// a new file. Several processes may open one file at the same time.
//
// An error has a method Temporary() bool that returns true if the file can't be used at the moment, e.g. because its
// volume is not mounted yet. Open may then be called again.
func (db *DB) Open(ctx context.Context) error {
	if err := createFile(db.path); err != nil {
		return temporary{fmt.Errorf("create database: %w", err)}
	}
	if err := db.connect(); err != nil {
		return fmt.Errorf("open database %s: %w", db.path, err)
	}
	err := migrate(ctx, db.writer, db.migrations)
	if err == nil {
		db.file, err = os.Stat(db.path)
	}
	if err != nil {
		return MarkTemporary(errors.Join(fmt.Errorf("migrate database %s: %w", db.path, err), db.Close()))
	}
	return nil
}

// Check returns why the database can't be used, or nil. It reads from the file, which must still be the one that Open
// found: what is written to a file that was removed is lost.
func (db *DB) Check(ctx context.Context) error {
	file, err := os.Stat(db.path)
	if err == nil && !os.SameFile(file, db.file) {
		err = errors.New("the file was replaced: restart the service")
	}
	if err == nil {
		_, err = db.reader.ExecContext(ctx, `SELECT count(*) FROM sqlite_schema`)
	}
	if err != nil {
		return fmt.Errorf("read database %s: %w", db.path, err)
	}
	return nil
}

// Close waits for running statements and closes the database.
func (db *DB) Close() error {
	if err := errors.Join(db.reader.Close(), db.writer.Close()); err != nil {
		return fmt.Errorf("close database %s: %w", db.path, err)
	}
	return nil
}

// Register adds the metrics of both pools to r, named after the file, or after its path if r has a database of that name. Call
// it after Open.
func (db *DB) Register(r prometheus.Registerer) error {
	err := db.register(r, strings.TrimSuffix(filepath.Base(db.path), filepath.Ext(db.path)))
	if _, taken := errors.AsType[prometheus.AlreadyRegisteredError](err); taken {
		err = db.register(r, db.path)
	}
	if err != nil {
		return fmt.Errorf("register metrics of database %s: %w", db.path, err)
	}
	return nil
}

func (db *DB) register(r prometheus.Registerer, name string) error {
	return errors.Join(
		r.Register(collectors.NewDBStatsCollector(db.writer, name+" writer")),
		r.Register(collectors.NewDBStatsCollector(db.reader, name+" reader")),
	)
}

// Writer returns the pool for statements that write, and for transactions. A transaction holds the write lock from its
// start, so that what it has read stays true until it commits.
func (db *DB) Writer() *sql.DB { return db.writer }

// Reader returns the pool for queries. Its connections refuse to write.
func (db *DB) Reader() *sql.DB { return db.reader }

// createFile creates a file that only its owner can read; SQLite would let everyone read it. SQLite gives the mode to the
// files that it adds. createFile does not open an existing file: closing it would release the locks that SQLite holds on
// it in this process (https://www.sqlite.org/howtocorrupt.html, section 2.2).
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

// connect creates the pools. They open connections on first use.
func (db *DB) connect() error {
	path, err := filepath.Abs(db.path) // SQLite gives :memory: and //name another meaning
	if err != nil {
		return err
	}
	// A transaction that begins as a reader can fail at its first write, so these begin as writers.
	db.writer, err = openPool(dataSource(path, url.Values{"_txlock": {"immediate"}, "_journal_mode": {"WAL"}}))
	if err != nil {
		return err
	}
	db.writer.SetMaxOpenConns(1)
	db.reader, err = openPool(dataSource(path, url.Values{"_query_only": {"true"}}))
	if err != nil {
		return errors.Join(err, db.writer.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	db.reader.SetMaxOpenConns(readers)
	db.reader.SetMaxIdleConns(readers)
	return nil
}

// dataSource returns the database's URI (https://www.sqlite.org/uri.html), with the settings of its connections
// (https://www.sqlite.org/pragma.html) as parameters.
func dataSource(path string, settings url.Values) string {
	settings.Set("_busy_timeout", fmt.Sprint(lockTimeout.Milliseconds()))
	settings.Set("_foreign_keys", "true")
	settings.Set("_synchronous", "FULL") // a committed transaction survives a power cut
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + settings.Encode()
}
