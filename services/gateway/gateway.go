// Package gateway is the system's only interface to the outside. It turns each HTTP request into a call over the broker
// and the reply back into an HTTP response. Which route calls which method is internal/adapters/http/routes.go.
package gateway

import (
	"errors"
	"fmt"
	"net"
	stdhttp "net/http"
	"net/netip"
	"net/url"
	"time"

	"go.uber.org/fx"

	"example.com/warren/pkg/messaging"
	pkgrpc "example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/services/gateway/internal/adapters/http"
	"example.com/warren/services/gateway/internal/adapters/rpc"
	"example.com/warren/services/gateway/internal/adapters/ttlcache"
	"example.com/warren/services/gateway/internal/app"
)

// Config holds the gateway's own settings.
type Config struct {
	Addr     string `name:"gateway-addr" env:"GATEWAY_ADDR" default:"127.0.0.1:8080" help:"Address of the HTTP API."`
	Instance string `name:"gateway-instance" env:"GATEWAY_INSTANCE" help:"Name of this process among several gateways, e.g. the pod's. Empty: it is the only one."`

	TokenCache     time.Duration `name:"gateway-token-cache" env:"GATEWAY_TOKEN_CACHE" default:"5s" help:"How long a checked token is taken for valid; a revoked one is let in for as long. 0s: every request is checked."`
	TokenCacheSize int           `name:"gateway-token-cache-size" env:"GATEWAY_TOKEN_CACHE_SIZE" default:"10000" help:"Checked tokens that are remembered."`

	TimeoutStatus  int `name:"gateway-timeout-status" env:"GATEWAY_TIMEOUT_STATUS" default:"502" help:"Status of a call without a reply in time: 502 or 504."`
	MaxBodyBytes   int `name:"gateway-max-body-bytes" env:"GATEWAY_MAX_BODY_BYTES" default:"1048576" help:"Largest request body; above it 413."`
	MaxBodiesBytes int `name:"gateway-max-bodies-bytes" env:"GATEWAY_MAX_BODIES_BYTES" default:"268435456" help:"Memory for the bodies of all requests in flight, of which one route takes at most half; above it 503."`
	MaxHeaderBytes int `name:"gateway-max-header-bytes" env:"GATEWAY_MAX_HEADER_BYTES" default:"12288" help:"Largest request line and headers together; above it 431."`
	MaxConnections int `name:"gateway-max-connections" env:"GATEWAY_MAX_CONNECTIONS" default:"10000" help:"Client connections served at once; more wait until one is closed. Each takes a file descriptor."`

	ReadHeaderTimeout time.Duration `name:"gateway-read-header-timeout" env:"GATEWAY_READ_HEADER_TIMEOUT" default:"5s" help:"Time for a client to send its headers."`
	ReadTimeout       time.Duration `name:"gateway-read-timeout" env:"GATEWAY_READ_TIMEOUT" default:"15s" help:"Time for a client to send its request."`
	WriteTimeout      time.Duration `name:"gateway-write-timeout" env:"GATEWAY_WRITE_TIMEOUT" default:"60s" help:"Time from the headers of a request to the end of its response; longer than any call may take."`
	IdleTimeout       time.Duration `name:"gateway-idle-timeout" env:"GATEWAY_IDLE_TIMEOUT" default:"90s" help:"Time that an idle connection is kept."`

	TrustedProxies []netip.Prefix `name:"gateway-trusted-proxies" env:"GATEWAY_TRUSTED_PROXIES" help:"Networks of the proxies before the gateway, e.g. 10.1.0.0/16,192.0.2.7/32: what they say of a client's address in X-Forwarded-For is believed. Empty: the peer is the client."`

	CORSOrigins []string `name:"gateway-cors-origins" env:"GATEWAY_CORS_ORIGINS" help:"Origins whose pages may call the API, separated by commas. Empty: none."`
}

// Validate reports every setting that is out of range.
func (c *Config) Validate() error {
	return errors.Join(
		c.checkAddr(),
		c.checkStatus(),
		atLeast("GATEWAY_TOKEN_CACHE", c.TokenCache, 0),
		atLeast("GATEWAY_TOKEN_CACHE_SIZE", c.TokenCacheSize, 1),
		between("GATEWAY_MAX_BODY_BYTES", c.MaxBodyBytes, 0, messaging.MaxBodyBytes),
		// A body takes one byte more while its end is looked for.
		atLeast("GATEWAY_MAX_BODIES_BYTES", c.MaxBodiesBytes, c.MaxBodyBytes+1),
		between("GATEWAY_MAX_HEADER_BYTES", c.MaxHeaderBytes, 1024, messaging.MaxHeadersBytes),
		atLeast("GATEWAY_MAX_CONNECTIONS", c.MaxConnections, 1),
		atLeast("GATEWAY_READ_HEADER_TIMEOUT", c.ReadHeaderTimeout, time.Millisecond),
		atLeast("GATEWAY_READ_TIMEOUT", c.ReadTimeout, time.Millisecond),
		atLeast("GATEWAY_WRITE_TIMEOUT", c.WriteTimeout, time.Millisecond),
		atLeast("GATEWAY_IDLE_TIMEOUT", c.IdleTimeout, time.Millisecond),
		c.checkOrigins(),
	)
}

func (c *Config) checkAddr() error {
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("GATEWAY_ADDR must be host:port, is %q", c.Addr)
	}
	return nil
}

func (c *Config) checkStatus() error {
	if c.TimeoutStatus != stdhttp.StatusBadGateway && c.TimeoutStatus != stdhttp.StatusGatewayTimeout {
		return fmt.Errorf("GATEWAY_TIMEOUT_STATUS must be 502 or 504, is %d", c.TimeoutStatus)
	}
	return nil
}

func (c *Config) checkOrigins() error {
	for _, origin := range c.CORSOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
			return fmt.Errorf("GATEWAY_CORS_ORIGINS: %q is not of the form https://example.com", origin)
		}
	}
	return nil
}

func atLeast[T int | time.Duration](name string, value, low T) error {
	if value < low {
		return fmt.Errorf("%s must be at least %v, is %v", name, low, value)
	}
	return nil
}

func between(name string, value, low, high int) error {
	if value < low || value > high {
		return fmt.Errorf("%s must be between %d and %d, is %d", name, low, high, value)
	}
	return nil
}

// Route is one line of the API's route table.
type Route = http.Route

// Routes returns the route table of the API for tools, in the order of routes.go. The error has one line for each mistake
// in routes.go.
func Routes() ([]Route, error) { return http.Routes() }

// New describes the gateway to the chassis.
func New() service.Service {
	return service.Service{
		Name:      "gateway",
		AdminAddr: "127.0.0.1:9090",
		Config:    &Config{},
		Module:    module,
	}
}

var module = fx.Module("gateway",
	fx.Provide(
		newCallbackQueue,
		fx.Annotate(rpc.NewTokenValidator, fx.As(new(app.TokenValidator))),
		fx.Annotate(newAuthenticator, fx.As(new(http.Authenticator))),
		func(c *pkgrpc.Client) http.Caller { return c },
		newServerOptions,
		http.NewServer,
	),
	fx.Invoke(serve),
)

func newCallbackQueue(c *Config) service.CallbackQueue {
	return service.CallbackQueue{Instance: c.Instance, Variable: "GATEWAY_INSTANCE"}
}

func newAuthenticator(c *Config, shared *service.Config, validator app.TokenValidator) *app.Authenticator {
	return app.NewAuthenticator(validator, ttlcache.NewIdentityCache(c.TokenCacheSize), c.TokenCache, shared.RPCTimeout, time.Now)
}

func newServerOptions(c *Config, shared *service.Config) http.Options {
	return http.Options{
		Addr:              c.Addr,
		Timeout:           shared.RPCTimeout,
		TimeoutStatus:     c.TimeoutStatus,
		MaxBodyBytes:      int64(c.MaxBodyBytes),
		MaxBodiesBytes:    int64(c.MaxBodiesBytes),
		MaxHeaderBytes:    c.MaxHeaderBytes,
		MaxConnections:    c.MaxConnections,
		ReadHeaderTimeout: c.ReadHeaderTimeout,
		ReadTimeout:       c.ReadTimeout,
		WriteTimeout:      c.WriteTimeout,
		IdleTimeout:       c.IdleTimeout,
		TrustedProxies:    c.TrustedProxies,
		CORSOrigins:       c.CORSOrigins,
	}
}

func serve(l fx.Lifecycle, server *http.Server, fail service.Fail) {
	server.OnFailure(fail)
	l.Append(fx.Hook{OnStart: server.Start, OnStop: server.Stop})
}
