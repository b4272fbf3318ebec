package domain

import (
	"errors"
	"fmt"
)

// ErrNotFound: there is no such order, or none that the caller may know of.
var ErrNotFound = errors.New("order not found")

// NotCancellableError says that an order's status forbids to cancel it.
type NotCancellableError struct {
	Status Status
}

func (e *NotCancellableError) Error() string {
	return fmt.Sprintf("an order that is %s can't be cancelled", e.Status)
}

// InvalidError says which part of an order breaks a rule.
type InvalidError struct {
	Field   string // its path, e.g. "items[0].quantity"
	Message string
}

func (e *InvalidError) Error() string { return fmt.Sprintf("invalid order: %s %s", e.Field, e.Message) }
