package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"example.com/warren/services/orders/internal/adapters/sqlite"
	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func order(id, customer string, createdAt time.Time) domain.Order {
	return domain.Order{
		ID: id, CustomerID: customer, Status: domain.Pending, Currency: "EUR", Total: 1650,
		Items:     []domain.Item{{SKU: "tea", Quantity: 1, UnitPrice: 450}, {SKU: "cup", Quantity: 1, UnitPrice: 1200}},
		CreatedAt: createdAt, UpdatedAt: createdAt,
	}
}

func open(t *testing.T, path string) *sqlite.OrderStore {
	t.Helper()
	store := sqlite.NewOrderStore(path)
	if err := store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// newStore returns a store in a new file.
func newStore(t *testing.T) *sqlite.OrderStore {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "orders.db"))
}

// create stores each order under its own key.
func create(t *testing.T, store *sqlite.OrderStore, orders ...domain.Order) {
	t.Helper()
	for _, o := range orders {
		if _, err := store.Create(t.Context(), o, "key of "+o.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, store *sqlite.OrderStore, q app.Query) (ids []string) {
	t.Helper()
	orders, err := store.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range orders {
		ids = append(ids, o.ID)
	}
	return ids
}

func TestCreateAndGet(t *testing.T) {
	store := newStore(t)
	want := order("o1", "c1", noon)
	created, err := store.Create(t.Context(), want, "k")
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.Get(t.Context(), "o1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, created); diff != "" {
		t.Errorf("created: %s", diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back: %s", diff)
	}
}

func TestGetUnknown(t *testing.T) {
	if _, err := newStore(t).Get(t.Context(), "o1"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestCreateAgain(t *testing.T) {
	store := newStore(t)
	first := order("o1", "c1", noon)
	if _, err := store.Create(t.Context(), first, "k"); err != nil {
		t.Fatal(err)
	}
	first.Status, first.UpdatedAt = domain.Cancelled, noon.Add(time.Minute)
	if err := store.UpdateStatus(t.Context(), first, domain.Pending); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		order domain.Order
		key   string
		want  string
	}{
		{"same key", order("o2", "c1", noon.Add(time.Hour)), "k", "o1"},
		{"another key", order("o3", "c1", noon), "K", "o3"},
		{"same key of another customer", order("o4", "c2", noon), "k", "o4"},
	}
	for _, test := range tests {
		got, err := store.Create(t.Context(), test.order, test.key)
		if err != nil || got.ID != test.want {
			t.Errorf("%s: got %s, %v; want %s", test.name, got.ID, err, test.want)
		}
		if got.ID == first.ID {
			if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("%s: %s", test.name, diff)
			}
		}
	}
	if got, want := list(t, store, app.Query{AllCustomers: true, Limit: 10}), []string{"o4", "o3", "o1"}; !slices.Equal(got, want) {
		t.Errorf("stored: %v, want %v", got, want)
	}
}

// A create that fails half-way leaves neither an order nor a used key.
func TestCreateIsAtomic(t *testing.T) {
	store := newStore(t)
	bad := order("o1", "c1", noon)
	bad.Items = append(bad.Items, domain.Item{SKU: "mug", Quantity: -1}) // the schema rejects it
	if _, err := store.Create(t.Context(), bad, "k"); err == nil {
		t.Fatal("no error")
	}
	if _, err := store.Get(t.Context(), "o1"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("get after a failed create: %v, want ErrNotFound", err)
	}
	if got, err := store.Create(t.Context(), order("o2", "c1", noon), "k"); err != nil || got.ID != "o2" {
		t.Errorf("the key after a failed create: got %s, %v; want o2", got.ID, err)
	}
}

func TestUpdateStatus(t *testing.T) {
	store := newStore(t)
	o := order("o1", "c1", noon)
	create(t, store, o)
	o.Status, o.UpdatedAt = domain.Paid, noon.Add(time.Minute)
	if err := store.UpdateStatus(t.Context(), o, domain.Pending); err != nil {
		t.Fatal(err)
	}
	stale := o
	stale.Status = domain.Cancelled
	if err := store.UpdateStatus(t.Context(), stale, domain.Pending); !errors.Is(err, app.ErrStale) {
		t.Errorf("from an outdated status: %v, want ErrStale", err)
	}
	got, err := store.Get(t.Context(), "o1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o, got); diff != "" {
		t.Error(diff)
	}
}

func TestList(t *testing.T) {
	store := newStore(t)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	create(t, store, order("a", "c1", at(1)), order("b", "c2", at(2)), order("d", "c1", at(3)), order("c", "c1", at(3)))
	paid := order("a", "c1", at(1))
	paid.Status = domain.Paid
	if err := store.UpdateStatus(t.Context(), paid, domain.Pending); err != nil {
		t.Fatal(err)
	}
	after := func(minutes int, id string) *app.Position { return &app.Position{CreatedAt: at(minutes), ID: id} }
	tests := []struct {
		name  string
		query app.Query
		want  []string
	}{
		{"all", app.Query{AllCustomers: true, Limit: 10}, []string{"d", "c", "b", "a"}},
		{"first", app.Query{AllCustomers: true, Limit: 2}, []string{"d", "c"}},
		{"between orders of one time", app.Query{AllCustomers: true, Limit: 2, After: after(3, "d")}, []string{"c", "b"}},
		{"after the last", app.Query{AllCustomers: true, Limit: 2, After: after(1, "a")}, nil},
		{"a customer's", app.Query{CustomerID: "c1", Limit: 10}, []string{"d", "c", "a"}},
		{"a customer's by status", app.Query{CustomerID: "c1", Status: domain.Pending, Limit: 10}, []string{"d", "c"}},
		{"all by status", app.Query{AllCustomers: true, Status: domain.Paid, Limit: 10}, []string{"a"}},
		{"of the empty customer", app.Query{Limit: 10}, nil},
	}
	for _, test := range tests {
		if got := list(t, store, test.query); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
	orders, err := store.List(t.Context(), app.Query{CustomerID: "c2", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]domain.Order{order("b", "c2", at(2))}, orders); diff != "" {
		t.Error(diff)
	}
}

// A reader of page after page sees every order that existed at the start exactly once, while orders are inserted.
func TestPagesWhileInserting(t *testing.T) {
	store := newStore(t)
	rng := rand.New(rand.NewPCG(1, 2))
	clock := noon
	insert := func(i int) error {
		clock = clock.Add(time.Duration(rng.IntN(2)) * time.Microsecond) // half of them share their time with another order
		_, err := store.Create(t.Context(), order(fmt.Sprintf("%016x", rng.Uint64()), "c1", clock), fmt.Sprint("k", i))
		return err
	}
	const before = 300
	for i := range before {
		if err := insert(i); err != nil {
			t.Fatal(err)
		}
	}
	want := list(t, store, app.Query{CustomerID: "c1", Limit: before})
	clock = clock.Add(time.Microsecond)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	inserted := make(chan struct{})
	group.Go(func() error {
		for i := before; ; i++ {
			if err := insert(i); err != nil {
				return err
			}
			select {
			case inserted <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
		}
	})
	var seen []string
	for q := (app.Query{CustomerID: "c1"}); ; {
		select {
		case <-inserted:
		case <-ctx.Done():
			t.Fatal(group.Wait())
		}
		q.Limit = 1 + len(seen)%7
		orders, err := store.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(orders) == 0 {
			break
		}
		for _, o := range orders {
			seen = append(seen, o.ID)
		}
		last := orders[len(orders)-1]
		q.After = &app.Position{CreatedAt: last.CreatedAt, ID: last.ID}
	}
	stop()
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	// Orders that were inserted before the first read come first.
	if len(seen) < before {
		t.Fatalf("saw %d orders, want at least %d", len(seen), before)
	}
	if diff := cmp.Diff(want, seen[len(seen)-before:]); diff != "" {
		t.Error(diff)
	}
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n != len(seen) {
		t.Errorf("%d orders came more than once", len(seen)-n)
	}
}

func TestContextIsHonoured(t *testing.T) {
	store := newStore(t)
	create(t, store, order("o1", "c1", noon))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, createErr := store.Create(ctx, order("o2", "c1", noon), "k")
	_, getErr := store.Get(ctx, "o1")
	_, listErr := store.List(ctx, app.Query{AllCustomers: true, Limit: 10})
	for name, err := range map[string]error{
		"Create":       createErr,
		"Get":          getErr,
		"List":         listErr,
		"UpdateStatus": store.UpdateStatus(ctx, order("o1", "c1", noon), domain.Pending),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", name, err)
		}
	}
}
