// Package orders is the service that keeps customers' orders.
//
// Its methods are orders.getAll, orders.get, orders.create and orders.cancel. A customer sees their own orders; the scope
// orders:all lets a caller read everyone's.
package orders

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.uber.org/fx"

	"example.com/warren/pkg/service"
	"example.com/warren/services/orders/internal/adapters/rpc"
	"example.com/warren/services/orders/internal/adapters/sqlite"
	"example.com/warren/services/orders/internal/app"
)

// Config holds the service's settings.
type Config struct {
	Database string `default:"orders.db" validate:"required" file:"" help:"SQLite file with the orders."`
	DemoData bool   `name:"demo-data" demo:"true" help:"Adds some orders of the user demo."`
}

// New returns the service, to be run by the chassis.
func New() service.Service {
	return service.Service{
		Name:      "orders",
		AdminAddr: "127.0.0.1:9091",
		Config:    new(Config),
		Module:    Module,
	}
}

// Module wires the service. It needs what the chassis gives, and a *Config.
var Module = fx.Module("orders",
	fx.Provide(
		fx.Private, // so that it fits into one app with other services
		newDB,
		fx.Annotate(sqlite.NewOrderStore, fx.As(new(app.OrderStore))),
		newOrders,
	),
	fx.Invoke(addDemoOrders, rpc.Register),
)

func newDB(config *Config, lifecycle fx.Lifecycle) *sqlite.DB {
	db := sqlite.NewDB(config.Database)
	lifecycle.Append(fx.StartStopHook(db.Open, db.Close))
	return db
}

func newOrders(store app.OrderStore) *app.Orders {
	return app.NewOrders(store, uuid.NewString, time.Now)
}

func addDemoOrders(config *Config, lifecycle fx.Lifecycle, store app.OrderStore) {
	if !config.DemoData {
		return
	}
	lifecycle.Append(fx.StartHook(func(ctx context.Context) error { return seed(ctx, store, time.Now()) }))
}
