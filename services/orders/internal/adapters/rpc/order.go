package rpc

import (
	"time"

	"example.com/warren/services/orders/internal/domain"
)

// order is the wire format of an order. Amounts are in minor units of its currency, times in RFC 3339 and UTC.
type order struct {
	ID         string        `json:"id"`
	CustomerID string        `json:"customer_id"`
	Status     domain.Status `json:"status"`
	Currency   string        `json:"currency"`
	Total      domain.Money  `json:"total"`
	Items      []item        `json:"items"`
	CreatedAt  time.Time     `json:"created_at"`
	UpdatedAt  time.Time     `json:"updated_at"`
}

type item struct {
	SKU       string       `json:"sku"`
	Quantity  int64        `json:"quantity"`
	UnitPrice domain.Money `json:"unit_price"`
}

func newOrder(o domain.Order) order {
	items := make([]item, len(o.Items))
	for i, each := range o.Items {
		items[i] = item(each)
	}
	return order{
		ID:         o.ID,
		CustomerID: o.CustomerID,
		Status:     o.Status,
		Currency:   o.Currency,
		Total:      o.Total,
		Items:      items,
		CreatedAt:  o.CreatedAt,
		UpdatedAt:  o.UpdatedAt,
	}
}

// newOrders never returns nil, because an empty list must be [] in JSON, not null.
func newOrders(list []domain.Order) []order {
	orders := make([]order, len(list))
	for i, o := range list {
		orders[i] = newOrder(o)
	}
	return orders
}
