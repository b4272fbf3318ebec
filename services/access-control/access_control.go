// Package accesscontrol is the service that knows the users. It issues tokens for their passwords, tells whom a token
// belongs to, and revokes tokens.
//
// Its methods are access-control.login, access-control.validateToken and access-control.logout.
package accesscontrol

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"

	"example.com/warren/pkg/keyring"
	"example.com/warren/pkg/service"
	database "example.com/warren/pkg/sqlite"
	"example.com/warren/services/access-control/internal/adapters/bcrypt"
	"example.com/warren/services/access-control/internal/adapters/jwt"
	"example.com/warren/services/access-control/internal/adapters/rate"
	"example.com/warren/services/access-control/internal/adapters/rpc"
	"example.com/warren/services/access-control/internal/adapters/sqlite"
	"example.com/warren/services/access-control/internal/app"
)

// Config holds the service's settings.
type Config struct {
	Database      string        `default:"access-control.db" validate:"required" file:"" help:"SQLite file with the users and the revoked tokens."`
	Tokens        jwt.Config    `embed:""`
	TokenLifetime time.Duration `default:"15m" validate:"min=1s" help:"How long a token is valid."`
	BcryptCost    int           `default:"12" validate:"min=10,max=16" demo:"10" help:"Cost of checking a password, 10 to 16; each step doubles the time. A login replaces a hash of another cost."`
	Login         rate.Config   `embed:"" prefix:"login-"`
	DemoData      bool          `name:"demo-data" help:"Adds the users demo and admin, whose passwords are their names."`
}

// New returns the service for the chassis to run.
func New() service.Service {
	return service.Service{
		Name:      "access-control",
		AdminAddr: "127.0.0.1:9092",
		Config:    new(Config),
		Module:    Module,
		Examples:  examples,
	}
}

// Module wires the service. It needs a *Config and what the chassis provides.
var Module = fx.Module("access-control",
	fx.Provide(
		fx.Private, // other services in the same process provide the same types
		newStore,
		newKeyRing,
		newAccessControl,
	),
	service.ProvideHealthCheck(newHealthCheck),
	fx.Invoke(addDemoUsers, rpc.Register),
)

func newStore(config *Config, lifecycle fx.Lifecycle, registerer prometheus.Registerer) *sqlite.Store {
	store := sqlite.NewStore(config.Database, time.Now)
	lifecycle.Append(fx.StartStopHook(store.Open, store.Close))
	lifecycle.Append(fx.StartHook(func() error { return store.Register(registerer) }))
	return store
}

func newHealthCheck(store *sqlite.Store) service.HealthCheck {
	return service.HealthCheck{Name: "database", Check: store.Check}
}

func newKeyRing(
	shared *service.Config, config *Config, logger *slog.Logger, lifecycle fx.Lifecycle,
) (*keyring.Ring, error) {
	keys, err := jwt.OpenKeys(config.Tokens, shared.RPCIdentityKeys, logger)
	if err != nil {
		return nil, fmt.Errorf("load keys: %w", err)
	}
	lifecycle.Append(fx.StartStopHook(keys.Start, keys.Stop))
	return keys, nil
}

func newAccessControl(
	config *Config, store *sqlite.Store, keys *keyring.Ring, logger *slog.Logger,
) (*app.AccessControl, error) {
	passwords, err := bcrypt.NewHasher(config.BcryptCost)
	if err != nil {
		return nil, err
	}
	tokens, err := jwt.NewTokens(config.Tokens, keys, logger, time.Now)
	if err != nil {
		return nil, err
	}
	// A password check keeps a processor busy. Leave half of them to the token checks.
	checks := max(runtime.GOMAXPROCS(0)/2, 1)
	return app.NewAccessControl(app.Ports{
		Users:       store,
		Revocations: store,
		Passwords:   passwords,
		Limiter:     rate.NewLoginLimiter(config.Login, checks, time.Now),
		Tokens:      tokens,
		Now:         time.Now,
		Logger:      logger,
	}, config.TokenLifetime), nil
}

func addDemoUsers(config *Config, lifecycle fx.Lifecycle, accessControl *app.AccessControl) {
	if !config.DemoData {
		return
	}
	lifecycle.Append(fx.StartHook(func(ctx context.Context) error { return database.MarkTemporary(seed(ctx, accessControl)) }))
}
