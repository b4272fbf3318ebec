// Package orders is the service that keeps customers' orders.
//
// Its methods are orders.getAll, orders.get, orders.create and orders.cancel. Customers see their own orders; a caller
// with the scope orders:all reads the orders of all customers.
//
// # Reading order
//
// This file wires the service. internal/adapters/rpc receives a request and calls a use case in internal/app, which
// applies the rules of internal/domain and stores the result through internal/adapters/sqlite.
package orders

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"

	"example.com/warren/pkg/service"
	database "example.com/warren/pkg/sqlite"
	"example.com/warren/services/orders/internal/adapters/rpc"
	"example.com/warren/services/orders/internal/adapters/sqlite"
	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

// Config holds the service's settings.
type Config struct {
	Database string `default:"orders.db" validate:"required" file:"" help:"SQLite file with the orders."`
	DemoData bool   `name:"demo-data" help:"Adds some orders of the user demo."`
}

// New returns the service for the chassis to run.
func New() service.Service {
	return service.Service{
		Name:      "orders",
		AdminAddr: "127.0.0.1:9091",
		Config:    new(Config),
		Module:    Module,
		Examples:  examples,
	}
}

// Module wires the service. It needs a *Config and what the chassis provides.
var Module = fx.Module("orders",
	fx.Provide(
		fx.Private, // other services in the same process provide the same types
		newStore,
		newOrders,
	),
	service.ProvideHealthCheck(newHealthCheck),
	fx.Invoke(addDemoOrders, rpc.Register),
)

func newStore(config *Config, lifecycle fx.Lifecycle, registerer prometheus.Registerer) *sqlite.OrderStore {
	store := sqlite.NewOrderStore(config.Database)
	lifecycle.Append(fx.StartStopHook(store.Open, store.Close))
	lifecycle.Append(fx.StartHook(func() error { return store.Register(registerer) }))
	return store
}

func newHealthCheck(store *sqlite.OrderStore) service.HealthCheck {
	return service.HealthCheck{Name: "database", Check: store.Check}
}

func newOrders(store *sqlite.OrderStore) *app.Orders {
	return app.NewOrders(store, domain.Sample, uuid.NewString, time.Now)
}

func addDemoOrders(config *Config, lifecycle fx.Lifecycle, store *sqlite.OrderStore) {
	if !config.DemoData {
		return
	}
	lifecycle.Append(fx.StartHook(func(ctx context.Context) error { return database.MarkTemporary(seed(ctx, store, time.Now())) }))
}
