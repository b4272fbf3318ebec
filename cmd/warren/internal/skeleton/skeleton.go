// Package skeleton is the service that keeps widgets. Users see only what they own.
//
// Its methods are skeleton.getAll, skeleton.get and skeleton.create.
//
// This file wires the service. internal/adapters/rpc receives a request and calls a use case in internal/app, which
// applies the rules of internal/domain and stores the result through internal/adapters/sqlite.
package skeleton

import (
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"

	"example.com/warren/cmd/warren/internal/skeleton/internal/adapters/rpc"
	"example.com/warren/cmd/warren/internal/skeleton/internal/adapters/sqlite"
	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
	"example.com/warren/pkg/service"
)

// Config holds the service's settings.
type Config struct {
	Database string `default:"skeleton.db" validate:"required" file:"" help:"SQLite file of the service."`
	DemoData bool   `name:"demo-data" help:"Adds some data of the user demo."`
}

// New returns the service for the chassis to run.
func New() service.Service {
	return service.Service{
		Name:      "skeleton",
		AdminAddr: "127.0.0.1:9099",
		Config:    new(Config),
		Module:    Module,
		Examples:  examples,
	}
}

// Module wires the service. It needs a *Config and what the chassis provides.
var Module = fx.Module("skeleton",
	fx.Provide(newStore, newUseCases, fx.Private), // other services in the same process provide the same types
	service.ProvideHealthCheck(func(store *sqlite.Store) service.HealthCheck {
		return service.HealthCheck{Name: "database", Check: store.Check}
	}),
	fx.Invoke(addDemoData, rpc.Register),
)

func newStore(config *Config, lifecycle fx.Lifecycle, registerer prometheus.Registerer) *sqlite.Store {
	store := sqlite.NewStore(config.Database)
	lifecycle.Append(fx.StartStopHook(store.Open, store.Close))
	lifecycle.Append(fx.StartHook(func() error { return store.Register(registerer) }))
	return store
}

// newUseCases makes IDs of UUIDs that sort by the time they are made at.
func newUseCases(store *sqlite.Store) *app.Widgets {
	return app.NewWidgets(store, func() string { return uuid.Must(uuid.NewV7()).String() }, time.Now)
}
