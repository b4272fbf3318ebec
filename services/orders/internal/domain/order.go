// Package domain holds orders and their rules. It does no I/O and imports only the standard library.
package domain

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// MaxItems is the maximum number of items in an order.
const MaxItems = 100

// currencyCode matches the form of an ISO 4217 code. Adapters check that the code exists, because that list changes.
var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// Order is a customer's order. Only Status and UpdatedAt change after it was placed.
type Order struct {
	ID         string
	CustomerID string
	Status     Status
	Currency   string // ISO 4217
	Items      []Item
	Total      Money
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// NewOrder returns a pending order, or an *InvalidError.
func NewOrder(id, customerID, currency string, items []Item, now time.Time) (Order, error) {
	if !currencyCode.MatchString(currency) {
		return Order{}, &InvalidError{Field: "currency", Message: "must be an ISO 4217 code"}
	}
	if err := validate(items); err != nil {
		return Order{}, err
	}
	total, err := sum(items)
	if err != nil {
		return Order{}, err
	}
	return Order{
		ID:         id,
		CustomerID: customerID,
		Status:     Pending,
		Currency:   currency,
		Items:      slices.Clone(items),
		Total:      total,
		CreatedAt:  now,
		UpdatedAt:  now,
	}, nil
}

func validate(items []Item) error {
	if len(items) < 1 || len(items) > MaxItems {
		return &InvalidError{Field: "items", Message: fmt.Sprintf("must have 1 to %d items", MaxItems)}
	}
	for i, item := range items {
		if err := item.validate(fmt.Sprintf("items[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

// sum returns the total price of items. It cannot overflow with the present limits; if they are raised too far, it
// returns an error instead of a wrong total.
func sum(items []Item) (Money, error) {
	var total Money
	for i, item := range items {
		price, err := item.Total()
		if err != nil {
			return 0, fmt.Errorf("price of item %d: %w", i, err)
		}
		if total, err = total.Add(price); err != nil {
			return 0, fmt.Errorf("total up to item %d: %w", i, err)
		}
	}
	return total, nil
}

// Cancel cancels the order. If its status does not allow that, Cancel returns a *NotCancellableError and changes nothing.
func (o *Order) Cancel(now time.Time) error {
	if !o.Status.Cancellable() {
		return &NotCancellableError{Status: o.Status}
	}
	o.Status = Cancelled
	o.UpdatedAt = now
	return nil
}

// AsPlaced returns the order as it was when it was placed.
func (o Order) AsPlaced() Order {
	o.Status = Pending
	o.UpdatedAt = o.CreatedAt
	return o
}

// SameContent reports whether o and other are for the same goods. Their prices may differ: those of the catalogue change.
func (o Order) SameContent(other Order) bool {
	same := func(a, b Item) bool { return a.SKU == b.SKU && a.Quantity == b.Quantity }
	return o.Currency == other.Currency && slices.EqualFunc(o.Items, other.Items, same)
}
