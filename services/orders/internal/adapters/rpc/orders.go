// Package rpc serves the use cases as methods of pkg/rpc.
package rpc

import (
	"context"
	"net/http"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

// scopeAll lets a caller read the orders of all customers.
const scopeAll = "orders:all"

const defaultLimit = 20

// Register makes server answer the service's methods.
func Register(server *rpc.Server, orders *app.Orders) {
	h := handlers{orders}
	rpc.Handle(server, "orders.getAll", h.getAll)
	rpc.Handle(server, "orders.get", h.get)
	rpc.Handle(server, "orders.create", h.create, rpc.WithStatus(http.StatusCreated))
	rpc.Handle(server, "orders.cancel", h.cancel)
}

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

func (h handlers) getAll(ctx context.Context, in getAllInput) (page, error) {
	who, err := caller(ctx)
	if err != nil {
		return page{}, err
	}
	after, err := decodeCursor(in.Cursor)
	if err != nil {
		return page{}, invalid("cursor", "must be the next_cursor of a page").WithCause(err)
	}
	q := app.Query{Status: domain.Status(in.Status), After: after, Limit: defaultLimit}
	if in.Limit != nil {
		q.Limit = *in.Limit
	}
	found, err := h.orders.List(ctx, who, q)
	if err != nil {
		return page{}, err
	}
	return page{Orders: newOrders(found.Orders), NextCursor: encodeCursor(found.Next)}, nil
}

type orderID struct {
	ID string `json:"-" param:"id" validate:"required"`
}

func (h handlers) get(ctx context.Context, in orderID) (order, error) {
	who, err := caller(ctx)
	if err != nil {
		return order{}, err
	}
	o, err := h.orders.Get(ctx, who, in.ID)
	if err != nil {
		return order{}, replyError(err)
	}
	return newOrder(o), nil
}

// create answers a request that repeats an earlier one, by its key, as it answered that: with status 201 and the order
// as it was placed.
func (h handlers) create(ctx context.Context, in createInput) (order, error) {
	who, err := caller(ctx)
	if err != nil {
		return order{}, err
	}
	key, err := idempotencyKey(ctx, in)
	if err != nil {
		return order{}, err
	}
	o, err := h.orders.Create(ctx, who, app.NewOrder{Key: key, Currency: in.Currency, Items: in.items()})
	if err != nil {
		return order{}, replyError(err)
	}
	rpc.ReplyHeader(ctx).Set("Location", "/v1/orders/"+o.ID)
	return newOrder(o), nil
}

func (h handlers) cancel(ctx context.Context, in orderID) (order, error) {
	who, err := caller(ctx)
	if err != nil {
		return order{}, err
	}
	o, err := h.orders.Cancel(ctx, who, in.ID)
	if err != nil {
		return order{}, replyError(err)
	}
	return newOrder(o), nil
}

// caller returns who calls, or the error for nobody.
func caller(ctx context.Context) (app.Caller, error) {
	identity := rpc.IdentityFrom(ctx)
	if identity == nil {
		return app.Caller{}, rpc.Unauthorized("log in first").WithHeader("WWW-Authenticate", "Bearer")
	}
	return app.Caller{CustomerID: identity.Subject, ReadsAll: identity.HasScope(scopeAll)}, nil
}
