// Package sqlite keeps orders in an SQLite file.
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
	"runtime"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// Memory is the path of a database that lives in memory, until it is closed.
const Memory = ":memory:"

// lockPatience is how long to wait for another process to give up a lock.
const lockPatience = 5 * time.Second

//go:embed migrations/*.sql
var migrations embed.FS

// DB is a database. Its stores can be used between Open and Close.
//
// SQLite has one writer at a time. The writes of this process share one connection, so that they wait for each other in
// order and end with their contexts; reads have connections of their own, which in WAL mode no writer holds up.
type DB struct {
	path   string
	writes *sql.DB
	reads  *sql.DB
}

// NewDB returns the database in the file at path, or in Memory.
func NewDB(path string) *DB { return &DB{path: path} }

// Open opens the database and brings its schema up to date. A new file is readable by its owner alone. Several processes
// may open one file at once.
func (db *DB) Open(ctx context.Context) error {
	if err := createFile(db.path); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	if err := db.connect(); err != nil {
		return fmt.Errorf("open database %s: %w", db.path, err)
	}
	if err := migrate(ctx, db.writes); err != nil {
		return errors.Join(fmt.Errorf("migrate database %s: %w", db.path, err), db.Close())
	}
	return nil
}

// Close waits for the statements that run.
func (db *DB) Close() error {
	if err := errors.Join(db.reads.Close(), db.writes.Close()); err != nil {
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

// connect makes the pools; their connections are opened when they are first used.
func (db *DB) connect() (err error) {
	// A transaction that began as a reader could fail when it comes to write: these begin as writers.
	db.writes, err = sql.Open("sqlite", dataSource(db.path, url.Values{"_txlock": {"immediate"}, "_journal_mode": {"WAL"}}))
	if err != nil {
		return err
	}
	db.writes.SetMaxOpenConns(1)
	if db.path == Memory { // a second connection would open a second database
		db.reads = db.writes
		return nil
	}
	db.reads, err = sql.Open("sqlite", dataSource(db.path, url.Values{"_query_only": {"true"}}))
	if err != nil {
		return errors.Join(err, db.writes.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	db.reads.SetMaxOpenConns(readers)
	db.reads.SetMaxIdleConns(readers)
	return nil
}

// dataSource returns the database's URI (https://www.sqlite.org/uri.html) with the settings of its connections
// (https://www.sqlite.org/pragma.html).
func dataSource(path string, settings url.Values) string {
	settings.Set("_busy_timeout", fmt.Sprint(lockPatience.Milliseconds()))
	settings.Set("_foreign_keys", "true")
	settings.Set("_synchronous", "FULL") // an order that was confirmed survives a power cut
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + settings.Encode()
}

// migrate runs the migrations that the database lacks. Replicas that start at the same time get in each other's way:
// SQLite is busy while one of them turns WAL mode on, and a migration fails on what another has just applied, since
// goose has no lock for SQLite. The next try finds it done.
func migrate(ctx context.Context, db *sql.DB) error {
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		_, err := provider.Up(ctx)
		if err != nil && !isLostRace(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(20*time.Millisecond)), backoff.WithMaxElapsedTime(lockPatience))
	return err
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
}

func isLostRace(err error) bool {
	var busy *sqlite.Error
	var failed *goose.PartialError
	return errors.As(err, &failed) || errors.As(err, &busy) && busy.Code()&0xff == codes.SQLITE_BUSY
}
