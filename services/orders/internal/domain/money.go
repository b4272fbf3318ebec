package domain

import (
	"errors"
	"math"
)

// ErrOverflow reports that the result of a calculation does not fit into Money.
var ErrOverflow = errors.New("amount of money out of range")

// Money is an amount in the minor units of the order's currency: cents for EUR, whole yen for JPY.
type Money int64

// Add returns m + n, or ErrOverflow.
func (m Money) Add(n Money) (Money, error) {
	if (n > 0 && m > math.MaxInt64-n) || (n < 0 && m < math.MinInt64-n) {
		return 0, ErrOverflow
	}
	return m + n, nil
}

// Times returns m × n, or ErrOverflow.
func (m Money) Times(n int64) (Money, error) {
	if m == 0 || n == 0 {
		return 0, nil
	}
	product := m * Money(n)
	// The division does not detect -1 × MinInt64, which wraps to MinInt64.
	if product/Money(n) != m || (m == -1 && n == math.MinInt64) || (n == -1 && m == math.MinInt64) {
		return 0, ErrOverflow
	}
	return product, nil
}
