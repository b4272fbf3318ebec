package domain_test

import (
	"errors"
	"math"
	"testing"

	"example.com/warren/services/orders/internal/domain"
)

func TestMoneyAdd(t *testing.T) {
	tests := []struct {
		a, b, want domain.Money
		err        error
	}{
		{a: 0, b: 0, want: 0},
		{a: 1999, b: 1, want: 2000},
		{a: 5, b: -7, want: -2},
		{a: math.MaxInt64, b: 0, want: math.MaxInt64},
		{a: math.MaxInt64 - 1, b: 1, want: math.MaxInt64},
		{a: math.MaxInt64, b: 1, err: domain.ErrOverflow},
		{a: 1, b: math.MaxInt64, err: domain.ErrOverflow},
		{a: math.MinInt64, b: -1, err: domain.ErrOverflow},
		{a: math.MinInt64, b: math.MaxInt64, want: -1},
	}
	for _, test := range tests {
		got, err := test.a.Add(test.b)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%d + %d = %d, %v; want %d, %v", test.a, test.b, got, err, test.want, test.err)
		}
	}
}

func TestMoneyTimes(t *testing.T) {
	tests := []struct {
		amount domain.Money
		n      int64
		want   domain.Money
		err    error
	}{
		{amount: 0, n: math.MaxInt64, want: 0},
		{amount: math.MaxInt64, n: 0, want: 0},
		{amount: 1999, n: 3, want: 5997},
		{amount: -5, n: 3, want: -15},
		{amount: math.MaxInt64, n: 1, want: math.MaxInt64},
		{amount: math.MaxInt64, n: 2, err: domain.ErrOverflow},
		{amount: math.MaxInt64/2 + 1, n: 2, err: domain.ErrOverflow},
		{amount: 1 << 32, n: 1 << 32, err: domain.ErrOverflow},
		{amount: -1, n: math.MinInt64, err: domain.ErrOverflow},
		{amount: math.MinInt64, n: -1, err: domain.ErrOverflow},
		{amount: math.MinInt64, n: 1, want: math.MinInt64},
	}
	for _, test := range tests {
		got, err := test.amount.Times(test.n)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%d × %d = %d, %v; want %d, %v", test.amount, test.n, got, err, test.want, test.err)
		}
	}
}
