// Package app holds the use cases of orders, and the port to their storage.
package app

import (
	"context"
	"errors"
	"time"

	"example.com/warren/services/orders/internal/domain"
)

// ErrKeyReused reports that an idempotency key belongs to an order with different content.
var ErrKeyReused = errors.New("idempotency key was used for another order")

// Orders provides the use cases: List, Get, Create and Cancel.
type Orders struct {
	store     OrderStore
	catalogue domain.Catalogue
	newID     func() string
	now       func() time.Time
}

// NewOrders returns the use cases over store, with the prices of catalogue. newID must never return the same ID twice.
func NewOrders(store OrderStore, catalogue domain.Catalogue, newID func() string, now func() time.Time) *Orders {
	return &Orders{store: store, catalogue: catalogue, newID: newID, now: now}
}

// List returns a page of the orders that the caller may read. It overrides the customer in q.
func (s *Orders) List(ctx context.Context, caller Caller, q Query) (Page, error) {
	q.CustomerID, q.AllCustomers = caller.CustomerID, caller.ReadsAll
	limit := q.Limit
	q.Limit++ // one more order than asked for tells whether there is a next page
	orders, err := s.store.List(ctx, q)
	if err != nil {
		return Page{}, err
	}
	if len(orders) <= limit {
		return Page{Orders: orders}, nil
	}
	last := orders[limit-1]
	return Page{Orders: orders[:limit], Next: &Position{CreatedAt: last.CreatedAt, ID: last.ID}}, nil
}

// Get returns an order that the caller may read, or domain.ErrNotFound.
func (s *Orders) Get(ctx context.Context, caller Caller, id string) (domain.Order, error) {
	o, err := s.store.Get(ctx, id)
	if err != nil {
		return domain.Order{}, err
	}
	if !caller.mayRead(o) {
		return domain.Order{}, domain.ErrNotFound
	}
	return o, nil
}

// NewOrder is the input of Create.
type NewOrder struct {
	// Key makes Create idempotent: for the same key of the same customer it returns the same order. Keys do not expire.
	Key      string
	Currency string
	Lines    []domain.Line
}

// Create places an order for the caller. For a key that the caller has used before, it returns the order created then,
// as it was placed, or ErrKeyReused if the content differs. It returns a *domain.InvalidError if the order breaks a rule, also
// for a used key: a retry fails if the catalogue has lost a product since.
func (s *Orders) Create(ctx context.Context, caller Caller, in NewOrder) (domain.Order, error) {
	items, err := s.catalogue.Items(in.Currency, in.Lines)
	if err != nil {
		return domain.Order{}, err
	}
	order, err := domain.NewOrder(s.newID(), caller.CustomerID, in.Currency, items, s.time())
	if err != nil {
		return domain.Order{}, err
	}
	stored, err := s.store.Create(ctx, order, in.Key)
	if err != nil {
		return domain.Order{}, err
	}
	if !stored.SameContent(order) {
		return domain.Order{}, ErrKeyReused
	}
	return stored.AsPlaced(), nil
}

// Cancel cancels one of the caller's own orders. It returns domain.ErrNotFound for any other order, and a
// *domain.NotCancellableError if the status does not allow it. Of concurrent calls for one order, exactly one succeeds.
func (s *Orders) Cancel(ctx context.Context, caller Caller, id string) (domain.Order, error) {
	o, err := s.store.Get(ctx, id)
	if err != nil {
		return domain.Order{}, err
	}
	if !caller.owns(o) {
		return domain.Order{}, domain.ErrNotFound
	}
	from := o.Status
	if err := o.Cancel(s.time()); err != nil {
		return domain.Order{}, err
	}
	err = s.store.UpdateStatus(ctx, o, from)
	if errors.Is(err, ErrStale) {
		// A concurrent call has changed the status: decide again. A status never comes back, so this ends.
		return s.Cancel(ctx, caller, id)
	}
	return o, err
}

// time returns the time in microseconds. Stores keep no more, and Create must return what Get returns later.
func (s *Orders) time() time.Time { return s.now().UTC().Truncate(time.Microsecond) }
