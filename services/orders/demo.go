package orders

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

// demoCustomer is the ID of the user demo in the demo data of access-control.
const demoCustomer = "0190a6d0-0000-7000-8000-000000000001"

// demoOrders has one order of each status, oldest first.
var demoOrders = []struct {
	status   domain.Status
	currency string
	items    []domain.Item
}{
	{domain.Delivered, "EUR", []domain.Item{{SKU: "teapot", Quantity: 1, UnitPrice: 3490}, {SKU: "cup", Quantity: 4, UnitPrice: 790}}},
	{domain.Cancelled, "EUR", []domain.Item{{SKU: "kettle", Quantity: 1, UnitPrice: 5900}}},
	{domain.Shipped, "JPY", []domain.Item{{SKU: "sencha-100g", Quantity: 2, UnitPrice: 1200}}},
	{domain.Paid, "EUR", []domain.Item{{SKU: "darjeeling-250g", Quantity: 1, UnitPrice: 1450}}},
	{domain.Pending, "EUR", []domain.Item{{SKU: "assam-250g", Quantity: 3, UnitPrice: 950}, {SKU: "strainer", Quantity: 1, UnitPrice: 650}}},
}

// seed adds the demo orders that do not exist yet, one for each of the last days.
func seed(ctx context.Context, store app.OrderStore, now time.Time) error {
	for i, each := range demoOrders {
		createdAt := now.UTC().Truncate(time.Hour).AddDate(0, 0, i-len(demoOrders))
		o, err := domain.NewOrder(uuid.NewString(), demoCustomer, each.currency, each.items, createdAt)
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
