package app

import (
	"time"

	"example.com/warren/services/orders/internal/domain"
)

// Position is a place in the list of orders, which is sorted by (CreatedAt, ID), newest first. New orders do not move
// it.
type Position struct {
	CreatedAt time.Time
	ID        string
}

// Query selects a part of the list.
type Query struct {
	CustomerID   string
	AllCustomers bool          // ignore CustomerID
	Status       domain.Status // "": any
	After        *Position     // nil: start with the newest
	Limit        int           // at least 1
}

// Page is a part of the list.
type Page struct {
	Orders []domain.Order
	Next   *Position // pass it as Query.After for the next page; nil: this is the last page
}
