package domain

import (
	"errors"
	"math"
	"testing"
)

// No valid order overflows, but sum must not rely on that.
func TestSumOverflow(t *testing.T) {
	tests := map[string][]Item{
		"price of one item": {{Quantity: 2, UnitPrice: math.MaxInt64}},
		"total of two":      {{Quantity: 1, UnitPrice: math.MaxInt64}, {Quantity: 1, UnitPrice: 1}},
	}
	for name, items := range tests {
		t.Run(name, func(t *testing.T) {
			if total, err := sum(items); !errors.Is(err, ErrOverflow) {
				t.Errorf("got %d, %v; want ErrOverflow", total, err)
			}
		})
	}
}
