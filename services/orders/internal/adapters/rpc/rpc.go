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
