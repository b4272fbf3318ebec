package domain_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/services/orders/internal/domain"
)

func TestCatalogueItems(t *testing.T) {
	catalogue := domain.Catalogue{"tea": {"EUR": 450, "JPY": 700}, "sample": {"EUR": 0}}
	tests := []struct {
		name, currency string
		lines          []domain.Line
		want           []domain.Item
		field          string // "": sold
	}{
		{"sold", "EUR", []domain.Line{{"tea", 2}, {"sample", 1}}, []domain.Item{{"tea", 2, 450}, {"sample", 1, 0}}, ""},
		{"in another currency", "JPY", []domain.Line{{"tea", 2}}, []domain.Item{{"tea", 2, 700}}, ""},
		{"not sold in the currency", "JPY", []domain.Line{{"tea", 2}, {"sample", 1}}, nil, "items[1].sku"},
		{"in no known currency", "USD", []domain.Line{{"tea", 2}}, nil, "items[0].sku"},
		{"unknown", "EUR", []domain.Line{{"TEA", 2}}, nil, "items[0].sku"},
	}
	for _, test := range tests {
		got, err := catalogue.Items(test.currency, test.lines)
		var invalid *domain.InvalidError
		if errors.As(err, &invalid) != (test.field != "") || invalid != nil && invalid.Field != test.field {
			t.Errorf("%s: got %v, want an error of field %q", test.name, err, test.field)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// Each price of the sample makes a valid order.
func TestSample(t *testing.T) {
	for sku, prices := range domain.Sample {
		for currency := range prices {
			items, err := domain.Sample.Items(currency, []domain.Line{{SKU: sku, Quantity: domain.MaxQuantity}})
			if err != nil {
				t.Fatal(err)
			}
			if o, err := domain.NewOrder("o1", "c1", currency, items, noon); err != nil || o.Total == 0 {
				t.Errorf("%s in %s: total %d, %v", sku, currency, o.Total, err)
			}
		}
	}
}
