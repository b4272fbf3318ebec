package app

import (
	"context"
	"errors"

	"example.com/warren/services/orders/internal/domain"
)

// ErrStale: the order has changed since it was read.
var ErrStale = errors.New("order has changed meanwhile")

// OrderStore keeps orders. Its methods may be called concurrently, and by several processes on one store.
type OrderStore interface {
	// Create stores o and, with it, that its customer has used key. If the customer used key before, nothing is stored
	// and the order of that time is returned, as it is now.
	Create(ctx context.Context, o domain.Order, key string) (domain.Order, error)
	// Get returns an order, or domain.ErrNotFound.
	Get(ctx context.Context, id string) (domain.Order, error)
	// List returns the first q.Limit of the orders that q selects.
	List(ctx context.Context, q Query) ([]domain.Order, error)
	// UpdateStatus stores o's status and UpdatedAt if the status in the store is from, otherwise it returns ErrStale.
	UpdateStatus(ctx context.Context, o domain.Order, from domain.Status) error
}
