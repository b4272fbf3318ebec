// Command bench-orders serves bench-orders.get from memory, on the chassis of real services. It has no database, so that the
// benchmark measures calls and not SQLite.
package main

import (
	"context"
	"fmt"
	"os"

	"go.uber.org/fx"

	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/test/bench/internal/example"
	"example.com/warren/test/bench/internal/profile"
)

func main() {
	if err := profile.Serve(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-orders:", err)
		os.Exit(1)
	}
	service.Main(service.Service{
		Name:      "bench-orders",
		AdminAddr: "127.0.0.1:9091",
		Module:    fx.Invoke(register),
	})
}

type getInput struct {
	ID string `json:"-" param:"id" validate:"required"`
}

func register(server *rpc.Server) {
	order := example.NewOrder(example.Bytes)
	orders := map[string]example.Order{order.ID: order}
	rpc.Handle(server, "bench-orders.get", func(ctx context.Context, in getInput) (example.Order, error) {
		if rpc.IdentityFrom(ctx) == nil {
			return example.Order{}, rpc.Unauthorized("log in first")
		}
		found, ok := orders[in.ID]
		if !ok {
			return example.Order{}, rpc.NotFound("order %s", in.ID)
		}
		return found, nil
	})
}
