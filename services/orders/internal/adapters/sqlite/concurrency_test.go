package sqlite_test

import (
	"context"
	"errors"
	"fmt"
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

const sharedKeys = 25

// createShared creates one order for each of the shared keys, concurrently, and returns their IDs by key.
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

// checkShared checks that all replicas got the same orders, and that no others are stored.
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
	stored := list(t, open(t, path), app.Query{AllCustomers: true, Limit: 10 * sharedKeys})
	if len(stored) != sharedKeys {
		t.Errorf("%d orders stored, want %d", len(stored), sharedKeys)
	}
}

func TestEqualKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.db")
	replicas := make([]map[string]string, 8)
	var group errgroup.Group
	for i := range replicas {
		store := open(t, path)
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

// Of concurrent cancels through several replicas, exactly one succeeds.
func TestConcurrentCancels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.db")
	create(t, open(t, path), order("o1", "c1", noon))
	const replicas, calls = 4, 8
	results := make(chan error, replicas*calls)
	var group errgroup.Group
	for range replicas {
		orders := app.NewOrders(open(t, path), domain.Sample, uuid.NewString, time.Now)
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
	succeeded := 0
	for err := range results {
		var refused *domain.NotCancellableError
		switch {
		case err == nil:
			succeeded++
		case !errors.As(err, &refused) || refused.Status != domain.Cancelled:
			t.Errorf("got %v, want a NotCancellableError", err)
		}
	}
	if succeeded != 1 {
		t.Errorf("%d cancels succeeded, want 1", succeeded)
	}
}
