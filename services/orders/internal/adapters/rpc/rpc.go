// Package rpc serves the use cases of orders as methods of pkg/rpc.
//
// # Add a method
//
// A method takes three edits: its use case in package app, its handler here with its line in [Register], and its route in
// the gateway's routes.go.
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

// Register registers the service's methods with server.
func Register(server *rpc.Server, orders *app.Orders) {
	methods := server.With(rpc.WithErrors(problem))
	h := handlers{orders}
	rpc.Handle(methods, "orders.getAll", asCaller(h.getAll))
	rpc.Handle(methods, "orders.get", asCaller(h.get))
	rpc.Handle(methods, "orders.create", asCaller(h.create), rpc.WithStatus(http.StatusCreated))
	rpc.Handle(methods, "orders.cancel", asCaller(h.cancel))
}

// asCaller passes the authenticated caller to handler. It rejects requests without one.
func asCaller[In, Out any](
	handler func(ctx context.Context, caller app.Caller, in In) (Out, error),
) func(ctx context.Context, in In) (Out, error) {
	return func(ctx context.Context, in In) (out Out, err error) {
		identity := rpc.IdentityFrom(ctx)
		if identity == nil {
			return out, rpc.Unauthorized("log in first").WithHeader("WWW-Authenticate", "Bearer")
		}
		return handler(ctx, app.Caller{CustomerID: identity.Subject, ReadsAll: identity.HasScope(scopeAll)}, in)
	}
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
	o, err := h.orders.Create(ctx, caller, app.NewOrder{Key: key, Currency: in.Currency, Lines: in.lines()})
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
