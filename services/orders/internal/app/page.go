package app

import (
	"time"

	"example.com/warren/services/orders/internal/domain"
)

// Position is a place in the list of orders, which is sorted by (CreatedAt, ID), newest first. It stays valid while
// orders come and go.
type Position struct {
	CreatedAt time.Time
	ID        string
}

// Query selects a part of the list.
type Query struct {
	CustomerID   string
	AllCustomers bool          // whatever CustomerID says
	Status       domain.Status // "": any
	After        *Position     // nil: from the newest
	Limit        int           // at least 1
}

// Page is a part of the list.
type Page struct {
	Orders []domain.Order
	Next   *Position // where the next page starts; nil: this is the last
}
