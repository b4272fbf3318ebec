package rpc

import (
	"context"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

const defaultLimit = 20

type handlers struct{ orders *app.Orders }

type getAllInput struct {
	Limit  *int   `json:"-" query:"limit" validate:"omitnil,min=1,max=100"`
	Cursor string `json:"-" query:"cursor"`
	Status string `json:"-" query:"status" validate:"omitempty,oneof=pending paid shipped delivered cancelled"`
}

type page struct {
	Orders     []order `json:"orders"`
	NextCursor string  `json:"next_cursor,omitempty"` // absent on the last page
}

func (h handlers) getAll(ctx context.Context, caller app.Caller, in getAllInput) (page, error) {
	after, err := decodeCursor(in.Cursor)
	if err != nil {
		return page{}, invalid("cursor", "must be the next_cursor of a page").WithCause(err)
	}
	q := app.Query{Status: domain.Status(in.Status), After: after, Limit: defaultLimit}
	if in.Limit != nil {
		q.Limit = *in.Limit
	}
	found, err := h.orders.List(ctx, caller, q)
	return page{Orders: newOrders(found.Orders), NextCursor: encodeCursor(found.Next)}, err
}

type orderID struct {
	ID string `json:"-" param:"id" validate:"required"`
}

func (h handlers) get(ctx context.Context, caller app.Caller, in orderID) (order, error) {
	o, err := h.orders.Get(ctx, caller, in.ID)
	return newOrder(o), err
}

// create replies to a repeated request, recognized by its key, as to the first one: with status 201 and the order as it
// was placed.
func (h handlers) create(ctx context.Context, caller app.Caller, in createInput) (order, error) {
	key, err := idempotencyKey(ctx, in)
	if err != nil {
		return order{}, err
	}
	o, err := h.orders.Create(ctx, caller, app.NewOrder{Key: key, Currency: in.Currency, Items: in.items()})
	if err != nil {
		return order{}, err
	}
	rpc.ReplyHeader(ctx).Set("Location", "/v1/orders/"+o.ID)
	return newOrder(o), nil
}

func (h handlers) cancel(ctx context.Context, caller app.Caller, in orderID) (order, error) {
	o, err := h.orders.Cancel(ctx, caller, in.ID)
	return newOrder(o), err
}
