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
	lines    []domain.Line
}{
	{domain.Delivered, "EUR", []domain.Line{{SKU: "teapot", Quantity: 1}, {SKU: "cup", Quantity: 4}}},
	{domain.Cancelled, "EUR", []domain.Line{{SKU: "kettle", Quantity: 1}}},
	{domain.Shipped, "JPY", []domain.Line{{SKU: "sencha-100g", Quantity: 2}}},
	{domain.Paid, "EUR", []domain.Line{{SKU: "darjeeling-250g", Quantity: 1}}},
	{domain.Pending, "EUR", []domain.Line{{SKU: "assam-250g", Quantity: 3}, {SKU: "strainer", Quantity: 1}}},
}

// seed adds the demo orders that do not exist yet, one for each of the last days.
func seed(ctx context.Context, store app.OrderStore, now time.Time) error {
	for i, each := range demoOrders {
		createdAt := now.UTC().Truncate(time.Hour).AddDate(0, 0, i-len(demoOrders))
		items, err := domain.Sample.Items(each.currency, each.lines)
		if err != nil {
			return fmt.Errorf("add demo data: %w", err)
		}
		o, err := domain.NewOrder(uuid.NewString(), demoCustomer, each.currency, items, createdAt)
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
