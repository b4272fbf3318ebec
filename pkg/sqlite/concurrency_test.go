package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/warren/pkg/sqlite"
)

const replicaCounts = 25 // increments of each replica

// replica opens the database, which may be new, and increments the counter.
func replica(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db := sqlite.NewDB(path, migrations)
	if err := db.Open(ctx); err != nil {
		return err
	}
	var group errgroup.Group
	for range replicaCounts {
		group.Go(func() error { return count(ctx, db) })
	}
	return errors.Join(group.Wait(), db.Close())
}

// Replicas that start at the same time on a new file all start, and no write is lost.
func TestReplicas(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		replicas int
		start    func(path string) error
	}{
		"of one process": {8, replica},
		"of several processes": {4, func(path string) error {
			cmd := exec.CommandContext(t.Context(), program)
			cmd.Env = append(os.Environ(), replicaPath+"="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			var group errgroup.Group
			for range test.replicas {
				group.Go(func() error { return test.start(path) })
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			wantValue(t, open(t, path), test.replicas*replicaCounts)
		})
	}
}

// A write that waits for another process's lock ends with its context. Reads do not wait.
func TestContextEndsWaitForLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, other := open(t, path), open(t, path)
	lock, err := other.Writer().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := count(ctx, db); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("write: got %v, want context.DeadlineExceeded", err)
	}
	if took := time.Since(start); took > 2*time.Second { // far below lockTimeout
		t.Errorf("write: waited %s past its context", took)
	}
	wantValue(t, db, 0)

	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := count(t.Context(), db); err != nil {
		t.Errorf("write after the lock was released: %v", err)
	}
	wantValue(t, db, 1)
}
