// Package app holds the use cases of orders and the port through which they keep them.
package app

import (
	"context"
	"errors"
	"time"

	"example.com/warren/services/orders/internal/domain"
)

// ErrKeyReused: the idempotency key belongs to an order with another content.
var ErrKeyReused = errors.New("idempotency key was used for another order")

// Orders are the use cases.
type Orders struct {
	store OrderStore
	newID func() string
	now   func() time.Time
}

// NewOrders returns the use cases over store. newID must never return an id twice.
func NewOrders(store OrderStore, newID func() string, now func() time.Time) *Orders {
	return &Orders{store: store, newID: newID, now: now}
}

// List returns a page of the caller's orders, or of everyone's if they may read all; whose orders q asks for
// does not count.
func (s *Orders) List(ctx context.Context, caller Caller, q Query) (Page, error) {
	q.CustomerID, q.AllCustomers = caller.CustomerID, caller.ReadsAll
	limit := q.Limit
	q.Limit++ // one more tells whether there is a next page
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

// NewOrder is what a customer orders.
type NewOrder struct {
	// Key makes the creation idempotent: the same key of the same customer gives the same order. Keys don't expire.
	Key      string
	Currency string
	Items    []domain.Item
}

// Create places an order for the caller. With a key that they used before it returns the order made then, as it was
// placed, or ErrKeyReused if that has another content. An order that breaks a rule is a *domain.InvalidError.
func (s *Orders) Create(ctx context.Context, caller Caller, in NewOrder) (domain.Order, error) {
	order, err := domain.NewOrder(s.newID(), caller.CustomerID, in.Currency, in.Items, s.time())
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

// Cancel cancels an order of the caller's. Others' are domain.ErrNotFound; a status that forbids it is a
// *domain.NotCancellableError. Of several concurrent calls for one order, one succeeds.
func (s *Orders) Cancel(ctx context.Context, caller Caller, id string) (domain.Order, error) {
	for {
		o, err := s.cancel(ctx, caller, id)
		if !errors.Is(err, ErrStale) {
			return o, err
		}
		// Someone else was faster: what they left decides. Statuses never come back, so this ends.
	}
}

func (s *Orders) cancel(ctx context.Context, caller Caller, id string) (domain.Order, error) {
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
	if err := s.store.UpdateStatus(ctx, o, from); err != nil {
		return domain.Order{}, err
	}
	return o, nil
}

// time returns the time to the microsecond: a store may keep no more, and a reply must not differ from later reads.
func (s *Orders) time() time.Time { return s.now().UTC().Truncate(time.Microsecond) }
