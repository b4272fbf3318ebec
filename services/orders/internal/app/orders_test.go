package app_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

var (
	now   = time.Date(2026, 3, 1, 13, 0, 0, 123456789, time.FixedZone("CET", 3600))
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC) // now in UTC and microseconds
	lines = []domain.Line{{SKU: "tea", Quantity: 2}}
	items = []domain.Item{{SKU: "tea", Quantity: 2, UnitPrice: 450}}
	alice = app.Caller{CustomerID: "alice"}
	bob   = app.Caller{CustomerID: "bob"}
	admin = app.Caller{CustomerID: "admin", ReadsAll: true}
)

// fakeStore stores orders in memory, in the order of their creation.
type fakeStore struct {
	orders []domain.Order
	keys   map[string]string
	query  app.Query             // of the last List
	err    error                 // returned by every call
	race   func(o *domain.Order) // called before the next update, to change the order
}

func (s *fakeStore) find(id string) *domain.Order {
	i := slices.IndexFunc(s.orders, func(o domain.Order) bool { return o.ID == id })
	if i < 0 {
		return nil
	}
	return &s.orders[i]
}

func (s *fakeStore) Create(_ context.Context, o domain.Order, key string) (domain.Order, error) {
	key = o.CustomerID + "/" + key
	if id, used := s.keys[key]; used {
		return *s.find(id), s.err
	}
	if s.keys == nil {
		s.keys = map[string]string{}
	}
	s.keys[key] = o.ID
	s.orders = append(s.orders, o)
	return o, s.err
}

func (s *fakeStore) Get(_ context.Context, id string) (domain.Order, error) {
	o := s.find(id)
	if o == nil {
		return domain.Order{}, fmt.Errorf("get: %w", domain.ErrNotFound)
	}
	return *o, s.err
}

func (s *fakeStore) List(_ context.Context, q app.Query) ([]domain.Order, error) {
	s.query = q
	return s.orders[:min(q.Limit, len(s.orders))], s.err
}

func (s *fakeStore) UpdateStatus(_ context.Context, o domain.Order, from domain.Status) error {
	stored := s.find(o.ID)
	if s.race != nil {
		s.race(stored)
		s.race = nil
	}
	if stored.Status != from {
		return fmt.Errorf("update: %w", app.ErrStale)
	}
	stored.Status, stored.UpdatedAt = o.Status, o.UpdatedAt
	return s.err
}

// newOrders returns the use cases over store, with the IDs o1, o2, …
func newOrders(store app.OrderStore) *app.Orders {
	n := 0
	newID := func() string {
		n++
		return fmt.Sprint("o", n)
	}
	catalogue := domain.Catalogue{"tea": {"EUR": 450, "USD": 500}}
	return app.NewOrders(store, catalogue, newID, func() time.Time { return now })
}

func create(t *testing.T, orders *app.Orders, caller app.Caller, key string) domain.Order {
	t.Helper()
	o, err := orders.Create(t.Context(), caller, app.NewOrder{Key: key, Currency: "EUR", Lines: lines})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestCreate(t *testing.T) {
	store := &fakeStore{}
	got := create(t, newOrders(store), alice, "k")
	want := domain.Order{
		ID: "o1", CustomerID: "alice", Status: domain.Pending, Currency: "EUR", Items: items, Total: 900,
		CreatedAt: noon, UpdatedAt: noon,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]domain.Order{want}, store.orders); diff != "" {
		t.Errorf("stored: %s", diff)
	}
}

func TestCreateInvalid(t *testing.T) {
	for field, lines := range map[string][]domain.Line{"items": nil, "items[0].sku": {{SKU: "coal", Quantity: 1}}} {
		store := &fakeStore{}
		var invalid *domain.InvalidError
		_, err := newOrders(store).Create(t.Context(), alice, app.NewOrder{Key: "k", Currency: "EUR", Lines: lines})
		if !errors.As(err, &invalid) || invalid.Field != field || len(store.orders) > 0 {
			t.Errorf("got %v and %d orders, want an InvalidError of %s and none", err, len(store.orders), field)
		}
	}
}

// A retry after a change of prices is the same order, at the prices of the first try.
func TestCreateAgainAtAnotherPrice(t *testing.T) {
	store := &fakeStore{}
	first := create(t, newOrders(store), alice, "k")
	dearer := app.NewOrders(store, domain.Catalogue{"tea": {"EUR": 900}}, func() string { return "o2" }, func() time.Time { return now })
	if again := create(t, dearer, alice, "k"); !cmp.Equal(first, again) {
		t.Error(cmp.Diff(first, again))
	}
}

func TestCreateAgain(t *testing.T) {
	store := &fakeStore{}
	orders := newOrders(store)
	first := create(t, orders, alice, "k")
	if again := create(t, orders, alice, "k"); !cmp.Equal(first, again) {
		t.Errorf("same key: %s", cmp.Diff(first, again))
	}
	if other := create(t, orders, alice, "k2"); other.ID == first.ID {
		t.Error("another key gave the same order")
	}
	if other := create(t, orders, bob, "k"); other.ID == first.ID || other.CustomerID != "bob" {
		t.Error("another customer's key gave the same order")
	}
	changed := app.NewOrder{Key: "k", Currency: "USD", Lines: lines}
	if _, err := orders.Create(t.Context(), alice, changed); !errors.Is(err, app.ErrKeyReused) {
		t.Errorf("same key, another content: got %v, want ErrKeyReused", err)
	}
	if _, err := orders.Cancel(t.Context(), alice, first.ID); err != nil {
		t.Fatal(err)
	}
	if again := create(t, orders, alice, "k"); !cmp.Equal(first, again) {
		t.Errorf("same key after a cancel: %s", cmp.Diff(first, again))
	}
}

func TestGet(t *testing.T) {
	store := &fakeStore{}
	orders := newOrders(store)
	o := create(t, orders, alice, "k")
	tests := []struct {
		name   string
		caller app.Caller
		id     string
		err    error
	}{
		{"own", alice, o.ID, nil},
		{"another customer's", bob, o.ID, domain.ErrNotFound},
		{"any, for an admin", admin, o.ID, nil},
		{"unknown", admin, "o9", domain.ErrNotFound},
		{"for the zero caller", app.Caller{}, o.ID, domain.ErrNotFound},
	}
	for _, test := range tests {
		got, err := orders.Get(t.Context(), test.caller, test.id)
		if !errors.Is(err, test.err) || (test.err == nil) != (got.ID == o.ID) {
			t.Errorf("%s: got %q, %v; want error %v", test.name, got.ID, err, test.err)
		}
	}
}

func TestList(t *testing.T) {
	store := &fakeStore{}
	orders := newOrders(store)
	for i := range 3 {
		create(t, orders, alice, fmt.Sprint(i))
	}
	after := &app.Position{CreatedAt: noon, ID: "x"}
	tests := []struct {
		name   string
		caller app.Caller
		query  app.Query
		want   app.Query // what the store receives
		ids    int
		next   *app.Position
	}{
		{
			"full page", alice, app.Query{Limit: 2, Status: domain.Paid, After: after},
			app.Query{Limit: 3, Status: domain.Paid, After: after, CustomerID: "alice"}, 2, &app.Position{CreatedAt: noon, ID: "o2"},
		},
		{"exactly the last page", alice, app.Query{Limit: 3}, app.Query{Limit: 4, CustomerID: "alice"}, 3, nil},
		{"more than there are", alice, app.Query{Limit: 9}, app.Query{Limit: 10, CustomerID: "alice"}, 3, nil},
		{"for an admin", admin, app.Query{Limit: 3}, app.Query{Limit: 4, CustomerID: "admin", AllCustomers: true}, 3, nil},
		{
			"asking for another customer's", bob, app.Query{Limit: 3, CustomerID: "alice", AllCustomers: true},
			app.Query{Limit: 4, CustomerID: "bob"}, 3, nil,
		},
		{"for the zero caller", app.Caller{}, app.Query{Limit: 3}, app.Query{Limit: 4}, 3, nil},
	}
	for _, test := range tests {
		page, err := orders.List(t.Context(), test.caller, test.query)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, store.query); diff != "" {
			t.Errorf("%s: query: %s", test.name, diff)
		}
		if diff := cmp.Diff(test.next, page.Next); diff != "" || len(page.Orders) != test.ids {
			t.Errorf("%s: %d orders, want %d; next: %s", test.name, len(page.Orders), test.ids, diff)
		}
	}
}

func TestCancel(t *testing.T) {
	store := &fakeStore{}
	orders := newOrders(store)
	o := create(t, orders, alice, "k")
	for name, caller := range map[string]app.Caller{"another customer": bob, "an admin": admin, "the zero caller": {}} {
		if _, err := orders.Cancel(t.Context(), caller, o.ID); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("by %s: got %v, want ErrNotFound", name, err)
		}
	}
	if _, err := orders.Cancel(t.Context(), alice, "o9"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("unknown: got %v, want ErrNotFound", err)
	}
	got, err := orders.Cancel(t.Context(), alice, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	o.Status = domain.Cancelled
	if diff := cmp.Diff(o, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(o, *store.find(o.ID)); diff != "" {
		t.Errorf("stored: %s", diff)
	}
	var refused *domain.NotCancellableError
	if _, err := orders.Cancel(t.Context(), alice, o.ID); !errors.As(err, &refused) || refused.Status != domain.Cancelled {
		t.Errorf("again: got %v, want a NotCancellableError", err)
	}
}

// TestCancelRace changes the order between the read and the write of a cancel.
func TestCancelRace(t *testing.T) {
	tests := []struct {
		changedTo domain.Status
		refused   bool
	}{
		{domain.Paid, false},
		{domain.Shipped, true},
		{domain.Cancelled, true},
	}
	for _, test := range tests {
		t.Run(string(test.changedTo), func(t *testing.T) {
			store := &fakeStore{}
			orders := newOrders(store)
			id := create(t, orders, alice, "k").ID
			store.race = func(o *domain.Order) { o.Status = test.changedTo }
			_, err := orders.Cancel(t.Context(), alice, id)
			var refused *domain.NotCancellableError
			switch {
			case !test.refused && (err != nil || store.find(id).Status != domain.Cancelled):
				t.Errorf("got %v and %s, want a cancelled order", err, store.find(id).Status)
			case test.refused && (!errors.As(err, &refused) || refused.Status != test.changedTo):
				t.Errorf("got %v, want a NotCancellableError of %s", err, test.changedTo)
			}
		})
	}
}

func TestStoreErrors(t *testing.T) {
	store := &fakeStore{}
	orders := newOrders(store)
	id := create(t, orders, alice, "k").ID
	store.err = errors.New("disk on fire")
	calls := map[string]func() error{
		"list": func() error { _, err := orders.List(t.Context(), alice, app.Query{Limit: 1}); return err },
		"get":  func() error { _, err := orders.Get(t.Context(), alice, id); return err },
		"create": func() error {
			_, err := orders.Create(t.Context(), alice, app.NewOrder{Key: "k2", Currency: "EUR", Lines: lines})
			return err
		},
		"cancel": func() error { _, err := orders.Cancel(t.Context(), alice, id); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, store.err) {
			t.Errorf("%s: got %v, want the store's error", name, err)
		}
	}
}
