package app

import "example.com/warren/services/orders/internal/domain"

// Caller is who asks.
type Caller struct {
	CustomerID string
	ReadsAll   bool // may read every customer's orders, and change only their own
}

func (c Caller) owns(o domain.Order) bool { return o.CustomerID == c.CustomerID }

func (c Caller) mayRead(o domain.Order) bool { return c.ReadsAll || c.owns(o) }
