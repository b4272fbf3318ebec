package orders

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"example.com/warren/pkg/service"
	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

const (
	demoCustomer = "0190a6d0-0000-7000-8000-000000000001" // the user demo in the demo data of access-control
	pendingOrder = "0190a6d0-0000-7000-8000-000000000105" // an example cancels it
	noOrder      = "0190a6d0-0000-7000-8000-00000000dead"
)

// examples show what the service does with the demo orders.
var examples = []service.Example{
	{Shows: "the orders of demo", Status: http.StatusOK, Method: http.MethodGet, Path: "/orders"},
	{
		Shows: "a new order; repeated with the same key, the same order", Status: http.StatusCreated,
		Method: http.MethodPost, Path: "/orders", Headers: []string{"Idempotency-Key: first"},
		Body: `{"currency":"EUR","items":[{"sku":"carrot","quantity":3}]}`,
	},
	{
		Shows: "an invalid order", Status: http.StatusUnprocessableEntity,
		Method: http.MethodPost, Path: "/orders", Headers: []string{"Idempotency-Key: second"},
		Body: `{"currency":"EUR","items":[]}`,
	},
	{
		Shows: "an order is cancelled; repeated, 409", Status: http.StatusOK,
		Method: http.MethodPost, Path: "/orders/" + pendingOrder + "/cancel",
	},
	{Shows: "no such order", Status: http.StatusNotFound, Method: http.MethodGet, Path: "/orders/" + noOrder},
}

// demoOrders has one order of each status, oldest first.
var demoOrders = []struct {
	id       string // "": any
	status   domain.Status
	currency string
	lines    []domain.Line
}{
	{"", domain.Delivered, "EUR", []domain.Line{{SKU: "teapot", Quantity: 1}, {SKU: "cup", Quantity: 4}}},
	{"", domain.Cancelled, "EUR", []domain.Line{{SKU: "kettle", Quantity: 1}}},
	{"", domain.Shipped, "JPY", []domain.Line{{SKU: "sencha-100g", Quantity: 2}}},
	{"", domain.Paid, "EUR", []domain.Line{{SKU: "darjeeling-250g", Quantity: 1}}},
	{pendingOrder, domain.Pending, "EUR", []domain.Line{{SKU: "assam-250g", Quantity: 3}, {SKU: "strainer", Quantity: 1}}},
}

// seed adds the demo orders that do not exist yet, one for each of the last days.
func seed(ctx context.Context, store app.OrderStore, now time.Time) error {
	for i, each := range demoOrders {
		createdAt := now.UTC().Truncate(time.Hour).AddDate(0, 0, i-len(demoOrders))
		items, err := domain.Sample.Items(each.currency, each.lines)
		if err != nil {
			return fmt.Errorf("add demo data: %w", err)
		}
		o, err := domain.NewOrder(cmp.Or(each.id, uuid.NewString()), demoCustomer, each.currency, items, createdAt)
		if err != nil {
			return fmt.Errorf("add demo data: %w", err)
		}
		o.Status = each.status
		if _, err := store.Create(ctx, o, fmt.Sprint("demo-", i+1)); err != nil {
			return fmt.Errorf("add demo data: %w", err)
		}
	}
	return nil
}
