package domain

import (
	"errors"
	"fmt"
)

// ErrNotFound reports that there is no such order, or that the caller may not know of it.
var ErrNotFound = errors.New("order not found")

// NotCancellableError reports that an order's status does not allow cancelling it.
type NotCancellableError struct {
	Status Status
}

func (e *NotCancellableError) Error() string {
	return fmt.Sprintf("an order that is %s can't be cancelled", e.Status)
}

// InvalidError reports which field of an order breaks a rule.
type InvalidError struct {
	Field   string // its path, e.g. "items[0].quantity"
	Message string
}

func (e *InvalidError) Error() string { return fmt.Sprintf("invalid order: %s %s", e.Field, e.Message) }
