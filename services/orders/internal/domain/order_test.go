package domain_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/services/orders/internal/domain"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestNewOrder(t *testing.T) {
	items := []domain.Item{{SKU: "tea", Quantity: 2, UnitPrice: 450}, {SKU: "cup", Quantity: 1, UnitPrice: 1200}}
	got, err := domain.NewOrder("o1", "c1", "EUR", items, noon)
	if err != nil {
		t.Fatal(err)
	}
	want := domain.Order{
		ID: "o1", CustomerID: "c1", Status: domain.Pending, Currency: "EUR", Items: slices.Clone(items),
		Total: 2100, CreatedAt: noon, UpdatedAt: noon,
	}
	items[0].Quantity = 99 // the order must not share the caller's slice
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewOrderLimits(t *testing.T) {
	item := func(change func(*domain.Item)) []domain.Item {
		i := domain.Item{SKU: "tea", Quantity: 1, UnitPrice: 1}
		change(&i)
		return []domain.Item{i}
	}
	tests := []struct {
		name     string
		currency string
		items    []domain.Item
		field    string // "": valid
	}{
		{name: "no currency", currency: "", items: make([]domain.Item, 1), field: "currency"},
		{name: "lower case currency", currency: "eur", field: "currency"},
		{name: "long currency", currency: "EURO", field: "currency"},
		{name: "line break in the currency", currency: "EUR\n", field: "currency"},
		{name: "no items", currency: "EUR", field: "items"},
		{name: "most items", currency: "EUR", items: slices.Repeat(item(func(*domain.Item) {}), domain.MaxItems)},
		{name: "too many items", currency: "EUR", items: slices.Repeat(item(func(*domain.Item) {}), domain.MaxItems+1), field: "items"},
		{name: "no sku", currency: "EUR", items: item(func(i *domain.Item) { i.SKU = "" }), field: "items[0].sku"},
		{name: "longest sku", currency: "EUR", items: item(func(i *domain.Item) { i.SKU = strings.Repeat("é", domain.MaxSKULength) })},
		{
			name: "long sku", currency: "EUR", field: "items[0].sku",
			items: item(func(i *domain.Item) { i.SKU = strings.Repeat("x", domain.MaxSKULength+1) }),
		},
		{name: "no quantity", currency: "EUR", items: item(func(i *domain.Item) { i.Quantity = 0 }), field: "items[0].quantity"},
		{name: "negative quantity", currency: "EUR", items: item(func(i *domain.Item) { i.Quantity = -1 }), field: "items[0].quantity"},
		{name: "greatest quantity", currency: "EUR", items: item(func(i *domain.Item) { i.Quantity = domain.MaxQuantity })},
		{
			name: "great quantity", currency: "EUR", field: "items[0].quantity",
			items: item(func(i *domain.Item) { i.Quantity = domain.MaxQuantity + 1 }),
		},
		{name: "free", currency: "EUR", items: item(func(i *domain.Item) { i.UnitPrice = 0 })},
		{name: "negative price", currency: "EUR", items: item(func(i *domain.Item) { i.UnitPrice = -1 }), field: "items[0].unit_price"},
		{name: "highest price", currency: "EUR", items: item(func(i *domain.Item) { i.UnitPrice = domain.MaxUnitPrice })},
		{
			name: "high price", currency: "EUR", field: "items[0].unit_price",
			items: item(func(i *domain.Item) { i.UnitPrice = domain.MaxUnitPrice + 1 }),
		},
		{
			name: "wrong second item", currency: "EUR", field: "items[1].quantity",
			items: append(item(func(*domain.Item) {}), domain.Item{SKU: "cup", UnitPrice: 1}),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := domain.NewOrder("o1", "c1", test.currency, test.items, noon)
			if test.field == "" {
				if err != nil {
					t.Fatalf("got %v, want no error", err)
				}
				return
			}
			var invalid *domain.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != test.field {
				t.Fatalf("got %v, want an InvalidError of %s", err, test.field)
			}
		})
	}
}

func TestLargestOrder(t *testing.T) {
	largest := domain.Item{SKU: "tea", Quantity: domain.MaxQuantity, UnitPrice: domain.MaxUnitPrice}
	o, err := domain.NewOrder("o1", "c1", "EUR", slices.Repeat([]domain.Item{largest}, domain.MaxItems), noon)
	if err != nil {
		t.Fatal(err)
	}
	if o.Total != 1e15 || o.Total > 1<<53 {
		t.Errorf("total %d, want 10^15", o.Total)
	}
}

func TestCancel(t *testing.T) {
	tests := map[domain.Status]bool{
		domain.Pending: true, domain.Paid: true,
		domain.Shipped: false, domain.Delivered: false, domain.Cancelled: false,
	}
	if len(tests) != len(domain.Statuses()) {
		t.Fatalf("%d statuses are tested, want %d", len(tests), len(domain.Statuses()))
	}
	for status, cancellable := range tests {
		t.Run(string(status), func(t *testing.T) {
			o := domain.Order{Status: status, CreatedAt: noon, UpdatedAt: noon}
			err := o.Cancel(noon.Add(time.Hour))
			if cancellable {
				want := domain.Order{Status: domain.Cancelled, CreatedAt: noon, UpdatedAt: noon.Add(time.Hour)}
				if diff := cmp.Diff(want, o); err != nil || diff != "" {
					t.Errorf("error %v, order %s", err, diff)
				}
				return
			}
			var refused *domain.NotCancellableError
			if !errors.As(err, &refused) || refused.Status != status {
				t.Errorf("got %v, want a NotCancellableError of %s", err, status)
			}
			if diff := cmp.Diff(domain.Order{Status: status, CreatedAt: noon, UpdatedAt: noon}, o); diff != "" {
				t.Errorf("a refused cancel changed the order: %s", diff)
			}
		})
	}
}

func TestAsPlaced(t *testing.T) {
	placed, err := domain.NewOrder("o1", "c1", "EUR", []domain.Item{{SKU: "tea", Quantity: 1, UnitPrice: 1}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	cancelled := placed
	if err := cancelled.Cancel(noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(placed, cancelled.AsPlaced()); diff != "" {
		t.Error(diff)
	}
}

func TestSameContent(t *testing.T) {
	tea := domain.Item{SKU: "tea", Quantity: 1, UnitPrice: 1}
	cup := domain.Item{SKU: "cup", Quantity: 1, UnitPrice: 1}
	order := domain.Order{ID: "o1", Currency: "EUR", Items: []domain.Item{tea, cup}}
	tests := []struct {
		name  string
		other domain.Order
		want  bool
	}{
		{"same, with another id and status", domain.Order{ID: "o2", Status: domain.Paid, Currency: "EUR", Items: []domain.Item{tea, cup}}, true},
		{"another price", domain.Order{Currency: "EUR", Items: []domain.Item{{SKU: "tea", Quantity: 1, UnitPrice: 2}, cup}}, true},
		{"another quantity", domain.Order{Currency: "EUR", Items: []domain.Item{{SKU: "tea", Quantity: 2, UnitPrice: 1}, cup}}, false},
		{"another product", domain.Order{Currency: "EUR", Items: []domain.Item{{SKU: "pot", Quantity: 1, UnitPrice: 1}, cup}}, false},
		{"another currency", domain.Order{Currency: "USD", Items: []domain.Item{tea, cup}}, false},
		{"fewer items", domain.Order{Currency: "EUR", Items: []domain.Item{tea}}, false},
		{"another order of items", domain.Order{Currency: "EUR", Items: []domain.Item{cup, tea}}, false},
	}
	for _, test := range tests {
		if got := order.SameContent(test.other); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
