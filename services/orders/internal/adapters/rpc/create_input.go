package rpc

import (
	"context"
	"fmt"
	"strings"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/orders/internal/domain"
)

// createInput says in tags what the domain demands, so that the caller learns of all wrong fields at once.
type createInput struct {
	Key      *string   `json:"-" header:"Idempotency-Key"`
	Currency string    `json:"currency" validate:"required,iso4217"`
	Items    []newItem `json:"items" validate:"required,min=1,max=100,dive"`
}

type newItem struct {
	SKU       string `json:"sku" validate:"required,max=64"`
	Quantity  int64  `json:"quantity" validate:"min=1,max=1000"`
	UnitPrice *int64 `json:"unit_price" validate:"required,min=0,max=10000000000"` // a missing price is not a price of 0
}

func (in createInput) items() []domain.Item {
	items := make([]domain.Item, len(in.Items))
	for i, each := range in.Items {
		items[i] = domain.Item{SKU: each.SKU, Quantity: each.Quantity, UnitPrice: domain.Money(*each.UnitPrice)}
	}
	return items
}

const maxKeyLength = 255

// idempotencyKey returns the caller's key (draft-ietf-httpapi-idempotency-key-header), which is taken as it is, quotes
// included. Without one it is the correlation id: a request that the broker delivers again creates no second order.
func idempotencyKey(ctx context.Context, in createInput) (string, error) {
	if in.Key != nil {
		return checkKey(*in.Key)
	}
	id := rpc.RequestFrom(ctx).ID
	if id == "" {
		return "", rpc.BadRequest("a request without a correlation id needs an Idempotency-Key")
	}
	return id, nil
}

func checkKey(key string) (string, error) {
	invisible := func(r rune) bool { return r <= ' ' || r > '~' }
	if key == "" || len(key) > maxKeyLength || strings.ContainsFunc(key, invisible) {
		return "", invalid("Idempotency-Key", fmt.Sprintf("must be 1 to %d visible ASCII characters", maxKeyLength))
	}
	return key, nil
}
