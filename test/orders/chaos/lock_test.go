package chaos

import (
	"context"
	"database/sql"
	"net/url"
	"sync"
	"testing"
)

// lockDatabase takes the write lock of a SQLite file until unlock, or the end of the test. A service that wants to write
// waits for the lock, for up to 5 s (the busy timeout of package sqlite).
func lockDatabase(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_txlock=immediate&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	unlock = sync.OnceFunc(func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		_ = db.Close()
	})
	t.Cleanup(unlock)
	return unlock
}
