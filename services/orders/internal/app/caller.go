package app

import "example.com/warren/services/orders/internal/domain"

// Caller is the authenticated customer who calls a use case.
type Caller struct {
	CustomerID string
	ReadsAll   bool // may read the orders of all customers, but change only their own
}

func (c Caller) owns(o domain.Order) bool { return o.CustomerID == c.CustomerID }

func (c Caller) mayRead(o domain.Order) bool { return c.ReadsAll || c.owns(o) }
