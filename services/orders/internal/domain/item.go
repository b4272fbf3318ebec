package domain

import (
	"fmt"
	"unicode/utf8"
)

// Limits of an item. MaxItems × MaxQuantity × MaxUnitPrice is 10^15: below 2^53, so that JavaScript reads a total exactly.
const (
	MaxSKULength = 64 // in characters
	MaxQuantity  = 1000
	MaxUnitPrice = 10_000_000_000
)

// Item is one line of an order.
type Item struct {
	SKU       string // stock keeping unit, the product
	Quantity  int64
	UnitPrice Money
}

// Total returns the price of all units.
func (i Item) Total() (Money, error) { return i.UnitPrice.Times(i.Quantity) }

// validate checks the item. path is its place in the order, for errors.
func (i Item) validate(path string) error {
	if n := utf8.RuneCountInString(i.SKU); n < 1 || n > MaxSKULength {
		return &InvalidError{Field: path + ".sku", Message: fmt.Sprintf("must have 1 to %d characters", MaxSKULength)}
	}
	if i.Quantity < 1 || i.Quantity > MaxQuantity {
		return &InvalidError{Field: path + ".quantity", Message: fmt.Sprintf("must be 1 to %d", MaxQuantity)}
	}
	if i.UnitPrice < 0 || i.UnitPrice > MaxUnitPrice {
		return &InvalidError{Field: path + ".unit_price", Message: fmt.Sprintf("must be 0 to %d", MaxUnitPrice)}
	}
	return nil
}
