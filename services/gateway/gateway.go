// Package gateway is the system's only interface to the outside. It turns each HTTP request into a remote procedure call
// over the broker, and the reply into the HTTP response.
//
// # Reading order
//
// internal/adapters/http/routes.go maps routes to queues. This file wires the service: internal/adapters/http serves HTTP
// and makes the calls, and asks internal/app who sent a token, which internal/adapters/rpc and ttlcache help to find out.
package gateway

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/fx"

	pkgrpc "example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/services/gateway/internal/adapters/http"
	"example.com/warren/services/gateway/internal/adapters/rpc"
	"example.com/warren/services/gateway/internal/adapters/ttlcache"
	"example.com/warren/services/gateway/internal/app"
)

// Config holds the gateway's settings.
type Config struct {
	HTTP http.Config `embed:""`

	TokenCache     time.Duration `default:"5s" validate:"min=0s" help:"How long the result of a token check is trusted; a revoked token is accepted for as long. 0s: every request is checked."`
	TokenCacheSize int           `default:"10000" validate:"min=1" help:"Tokens whose checks are cached."`
}

// Validate reports settings that contradict each other.
func (c *Config) Validate() error {
	// Reading a body takes one byte more, to see its end.
	if low := c.HTTP.MaxBodyBytes + 1; c.HTTP.MaxBodiesBytes < low {
		return fmt.Errorf("GATEWAY_MAX_BODIES_BYTES must be at least %d, is %d", low, c.HTTP.MaxBodiesBytes)
	}
	return nil
}

// New returns the service for the chassis to run.
func New() service.Service {
	return service.Service{
		Name:      "gateway",
		AdminAddr: "127.0.0.1:9090",
		Config:    new(Config),
		Module:    module,
		Calls:     calls(),
	}
}

// Routes returns the API's routes. Mistakes in them are reported when the service starts.
func Routes() []http.Route { return http.Routes() }

// calls returns the sorted names of the services behind the routes, and of that which checks tokens.
func calls() []string {
	var services []string
	for _, r := range append(Routes(), http.Route{Queue: rpc.ValidateToken}) {
		service, _, _ := strings.Cut(r.Queue, ".")
		services = append(services, service)
	}
	slices.Sort(services)
	return slices.Compact(services)
}

var module = fx.Module("gateway",
	fx.Provide(newAuthenticator, newServer),
	fx.Invoke(serve),
)

func newAuthenticator(c *Config, shared *service.Config, client *pkgrpc.Client, registerer prometheus.Registerer,
) (*app.Authenticator, error) {
	cache := ttlcache.NewIdentityCache(c.TokenCacheSize)
	if err := cache.Register(registerer); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return app.NewAuthenticator(rpc.NewTokenValidator(client), cache, c.TokenCache, shared.RPCTimeout, time.Now), nil
}

func newServer(c *Config, shared *service.Config, client *pkgrpc.Client, authenticator *app.Authenticator, logger *slog.Logger,
	registerer prometheus.Registerer, traces trace.TracerProvider,
) (*http.Server, error) {
	return http.NewServer(c.HTTP, shared.RPCTimeout, client, authenticator, logger, registerer, traces)
}

func serve(l fx.Lifecycle, server *http.Server, fail service.Fail) {
	server.OnFailure(fail)
	l.Append(fx.StartStopHook(server.Start, server.Stop))
}
