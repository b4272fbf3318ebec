package rpc

import (
	"context"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/orders/internal/domain"
)

// createInput repeats the limits of the domain in its validate tags, so that the caller learns of all wrong fields at
// once. TestCreateLimits holds the two together.
type createInput struct {
	Key      *string   `json:"-" header:"Idempotency-Key" validate:"omitnil,min=1,max=255,printascii,excludes= "`
	Currency string    `json:"currency" validate:"required,iso4217"`
	Items    []newItem `json:"items" validate:"required,min=1,max=100,dive"`
}

type newItem struct {
	SKU      string `json:"sku" validate:"required,max=64"`
	Quantity int64  `json:"quantity" validate:"min=1,max=1000"`
}

func (in createInput) lines() []domain.Line {
	lines := make([]domain.Line, len(in.Items))
	for i, each := range in.Items {
		lines[i] = domain.Line(each)
	}
	return lines
}

// idempotencyKey returns the caller's key as it was sent, quotes included (draft-ietf-httpapi-idempotency-key-header).
// It defaults to the request's ID, so that a request that the broker delivers twice creates one order.
func idempotencyKey(ctx context.Context, in createInput) (string, error) {
	if in.Key != nil {
		return *in.Key, nil
	}
	id := rpc.RequestFrom(ctx).ID
	if id == "" {
		return "", rpc.BadRequest("a request without an ID needs an Idempotency-Key")
	}
	return id, nil
}
