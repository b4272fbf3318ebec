package app

import (
	"context"
	"errors"

	"example.com/warren/services/orders/internal/domain"
)

// ErrStale reports that an order has changed since it was read.
var ErrStale = errors.New("order has changed since it was read")

// OrderStore stores orders. It is safe for concurrent use, also by several processes.
type OrderStore interface {
	// Create stores o and marks key as used by its customer. If the customer has used key before, Create stores nothing
	// and returns the order created then, in its present state.
	Create(ctx context.Context, o domain.Order, key string) (domain.Order, error)
	// Get returns an order, or domain.ErrNotFound.
	Get(ctx context.Context, id string) (domain.Order, error)
	// List returns the first q.Limit orders that q selects.
	List(ctx context.Context, q Query) ([]domain.Order, error)
	// UpdateStatus stores the Status and UpdatedAt of o if the stored status is from. Otherwise it returns ErrStale.
	UpdateStatus(ctx context.Context, o domain.Order, from domain.Status) error
}
