package sqlite_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"example.com/warren/services/orders/internal/adapters/sqlite"
	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

const (
	replicaEnv = "ORDERS_TEST_REPLICA" // makes of this test program a replica on the database it names
	sharedKeys = 25
)

// createShared creates one order for each of the shared keys, all at once, and returns the ids that it got by key.
func createShared(ctx context.Context, store *sqlite.OrderStore) (map[string]string, error) {
	var (
		mu    sync.Mutex
		ids   = map[string]string{}
		group errgroup.Group
	)
	for i := range sharedKeys {
		group.Go(func() error {
			key := fmt.Sprint("shared ", i)
			o, err := store.Create(ctx, order(uuid.NewString(), "c1", time.Now().UTC().Truncate(time.Microsecond)), key)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			ids[key] = o.ID
			return nil
		})
	}
	return ids, group.Wait()
}

// checkShared checks that all replicas got the same orders, and that there are no others.
func checkShared(t *testing.T, path string, replicas []map[string]string) {
	t.Helper()
	for i, ids := range replicas {
		if len(ids) != sharedKeys {
			t.Errorf("replica %d got %d orders, want %d", i, len(ids), sharedKeys)
		}
		if diff := cmp.Diff(replicas[0], ids); diff != "" {
			t.Errorf("replica %d got other orders than replica 0: %s", i, diff)
		}
	}
	stored := list(t, sqlite.NewOrderStore(open(t, path)), app.Query{AllCustomers: true, Limit: 10 * sharedKeys})
	if len(stored) != sharedKeys {
		t.Errorf("%d orders stored, want %d", len(stored), sharedKeys)
	}
}

func TestEqualKeysInOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.db")
	replicas := make([]map[string]string, 8)
	var group errgroup.Group
	for i := range replicas {
		store := sqlite.NewOrderStore(open(t, path))
		group.Go(func() (err error) {
			replicas[i], err = createShared(t.Context(), store)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	checkShared(t, path, replicas)
}

// Several processes start on one new file at once, so this also has them migrate it at once.
func TestEqualKeysInSeveralProcesses(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "orders.db")
	replicas := make([]map[string]string, 4)
	var group errgroup.Group
	for i := range replicas {
		group.Go(func() error {
			cmd := exec.CommandContext(t.Context(), program)
			cmd.Env = append(os.Environ(), replicaEnv+"="+path)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return fmt.Errorf("replica %d: %w", i, err)
			}
			return json.Unmarshal(out, &replicas[i])
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	checkShared(t, path, replicas)
}

// replica is the other process of TestEqualKeysInSeveralProcesses.
func replica(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db := sqlite.NewDB(path)
	if err := db.Open(ctx); err != nil {
		return err
	}
	ids, err := createShared(ctx, sqlite.NewOrderStore(db))
	return errors.Join(err, db.Close(), json.NewEncoder(os.Stdout).Encode(ids))
}

// Of concurrent cancels, through several replicas, one wins.
func TestConcurrentCancels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.db")
	create(t, sqlite.NewOrderStore(open(t, path)), order("o1", "c1", noon))
	const replicas, calls = 4, 8
	results := make(chan error, replicas*calls)
	var group errgroup.Group
	for range replicas {
		orders := app.NewOrders(sqlite.NewOrderStore(open(t, path)), uuid.NewString, time.Now)
		for range calls {
			group.Go(func() error {
				_, err := orders.Cancel(t.Context(), app.Caller{CustomerID: "c1"}, "o1")
				results <- err
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	close(results)
	won := 0
	for err := range results {
		var refused *domain.NotCancellableError
		switch {
		case err == nil:
			won++
		case !errors.As(err, &refused) || refused.Status != domain.Cancelled:
			t.Errorf("got %v, want a NotCancellableError", err)
		}
	}
	if won != 1 {
		t.Errorf("%d cancels won, want 1", won)
	}
}

// A write that waits for another process's lock ends with its context; reads don't wait.
func TestContextEndsWaitForLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.db")
	store := sqlite.NewOrderStore(open(t, path))
	create(t, store, order("o1", "c1", noon))

	other, err := sql.Open("sqlite", "file:"+path+"?"+url.Values{"_txlock": {"immediate"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}()
	lock, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}

	writes := map[string]func(context.Context) error{
		"create": func(ctx context.Context) error {
			_, err := store.Create(ctx, order("o2", "c1", noon), "k")
			return err
		},
		"update": func(ctx context.Context) error {
			return store.UpdateStatus(ctx, order("o1", "c1", noon), domain.Pending)
		},
	}
	for name, write := range writes {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		if err := write(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want context.DeadlineExceeded", name, err)
		}
		if took := time.Since(start); took > 2*time.Second { // far below the busy time-out
			t.Errorf("%s: waited %s past its context", name, took)
		}
		cancel()
	}
	if _, err := store.Get(t.Context(), "o1"); err != nil {
		t.Errorf("read beside a writer: %v", err)
	}

	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	for name, write := range writes {
		if err := write(t.Context()); err != nil {
			t.Errorf("%s after the lock was released: %v", name, err)
		}
	}
}
