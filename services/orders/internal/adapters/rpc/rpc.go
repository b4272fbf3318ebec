// Package rpc serves the use cases of orders as methods of pkg/rpc.
//
// # Add a method
//
// A method takes three edits: its use case in package app, its handler here with a line in [Register], and its route in
// the gateway's routes.go.
package rpc

import (
	"context"
	"net/http"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/orders/internal/app"
)

// scopeAll lets a caller read the orders of all customers.
const scopeAll = "orders:all"

// Register registers the service's methods with server.
func Register(server *rpc.Server, orders *app.Orders) {
	h := handlers{orders}
	handle(server, "orders.getAll", h.getAll)
	handle(server, "orders.get", h.get)
	handle(server, "orders.create", h.create, rpc.WithStatus(http.StatusCreated))
	handle(server, "orders.cancel", h.cancel)
}

// handle registers a method of authenticated callers. It passes the caller to the handler and translates its errors.
func handle[In, Out any](
	server *rpc.Server, queue string,
	handler func(ctx context.Context, caller app.Caller, in In) (Out, error), options ...rpc.HandleOption,
) {
	rpc.Handle(server, queue, func(ctx context.Context, in In) (out Out, err error) {
		identity := rpc.IdentityFrom(ctx)
		if identity == nil {
			return out, rpc.Unauthorized("log in first").WithHeader("WWW-Authenticate", "Bearer")
		}
		caller := app.Caller{CustomerID: identity.Subject, ReadsAll: identity.HasScope(scopeAll)}
		out, err = handler(ctx, caller, in)
		return out, problem(err)
	}, options...)
}
