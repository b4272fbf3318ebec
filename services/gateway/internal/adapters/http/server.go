// Package http is the gateway's HTTP API. routes.go maps routes to queues, and route_table.go checks that table at start. route.go
// serves the requests of one route with the help of token.go, body.go and proxy.go. problem.go says which status and reason each
// failure has.
package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/semaphore"

	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/telemetry"
)

// parseableHeaderBytes is the limit at which net/http stops reading headers, with a plain 431. Requests below it and above
// Config.MaxHeaderBytes get a problem.
const parseableHeaderBytes = 64 << 10

// lingerBytes bounds how much of a refused body is read after the response.
const lingerBytes = 64 << 20

// Caller makes calls; *rpc.Client implements it.
type Caller interface {
	Do(ctx context.Context, request *rpc.Request) (*rpc.Reply, error)
}

// Authenticator finds out who sent a token; *app.Authenticator implements it.
type Authenticator interface {
	Authenticate(ctx context.Context, token string, deadline time.Time) (*rpc.Identity, error)
	Forget(token string)
}

// Config holds the settings of a Server. The upper bounds are messaging.MaxBodyBytes, and a seventh of messaging.MaxHeadersBytes:
// a message carries a path twice, as path and parameter, each byte as three, and beside it the identity.
type Config struct {
	Addr           string `default:"127.0.0.1:8080" validate:"hostport" help:"Address of the HTTP API."`
	TimeoutStatus  int    `default:"502" validate:"oneof=502 504" help:"Status of a call without a reply in time."`
	MaxBodyBytes   int64  `default:"1048576" validate:"min=0,max=16777216" help:"Largest request body, of routes that set no lower limit; above it 413."`
	MaxBodiesBytes int64  `default:"268435456" help:"Bytes of the bodies of all requests in flight, of which one route takes at most half; above it 503."`
	MaxHeaderBytes int    `default:"12288" validate:"min=1024,max=16384" help:"Largest request line and headers together; above it 431."`
	MaxConnections int    `default:"10000" validate:"min=1" help:"Client connections served at once; more wait until one is closed. Each takes a file descriptor."`

	ReadHeaderTimeout time.Duration `default:"5s" validate:"min=1ms" help:"Time for a client to send its headers."`
	ReadTimeout       time.Duration `default:"15s" validate:"min=1ms" help:"Time for a client to send its request."`
	WriteTimeout      time.Duration `default:"60s" validate:"min=1ms" help:"Time from the headers of a request to the end of its response; longer than any call may take."`
	IdleTimeout       time.Duration `default:"90s" validate:"min=1ms" help:"Time after which an idle connection is closed."`

	TrustedProxies []netip.Prefix `help:"Networks of the proxies before the gateway, e.g. 10.1.0.0/16,192.0.2.7/32, whose X-Forwarded-For, traceparent and tracestate are trusted. Empty: the peer is the client."`
	CORSOrigins    []string       `validate:"dive,origin" help:"Origins whose pages may call the API, separated by commas. Empty: none."`
}

// Server serves the API.
type Server struct {
	config        Config
	callTimeout   time.Duration // of routes that set no limit
	caller        Caller
	authenticator Authenticator
	logger        *slog.Logger
	metrics       *metrics
	bodies        *semaphore.Weighted // bytes of all request bodies in memory or at the broker
	http          *http.Server
	fail          func(error)
	listener      net.Listener // nil before Start
}

// NewServer returns a server of the API's routes. A call may take callTimeout, unless its route says otherwise.
func NewServer(config Config, callTimeout time.Duration, caller Caller, authenticator Authenticator, logger *slog.Logger,
	registerer prometheus.Registerer, traces trace.TracerProvider,
) (*Server, error) {
	return newServer(routes, config, callTimeout, caller, authenticator, logger, registerer, traces)
}

func newServer(declare func(*table), config Config, callTimeout time.Duration, caller Caller, authenticator Authenticator,
	logger *slog.Logger, registerer prometheus.Registerer, traces trace.TracerProvider,
) (*Server, error) {
	routes, err := record(declare)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	s := &Server{
		config:        config,
		callTimeout:   callTimeout,
		caller:        caller,
		authenticator: authenticator,
		logger:        logger,
		metrics:       m,
		bodies:        semaphore.NewWeighted(config.MaxBodiesBytes),
		fail:          func(error) {},
	}
	longest := callTimeout
	for _, r := range routes {
		longest = max(longest, r.Timeout)
	}
	if config.WriteTimeout <= longest {
		return nil, fmt.Errorf("the write time-out %s is not longer than the longest call, %s", config.WriteTimeout, longest)
	}
	s.http = &http.Server{
		Handler:           s.handler(routes, traces),
		MaxHeaderBytes:    parseableHeaderBytes,
		ReadHeaderTimeout: config.ReadHeaderTimeout,
		ReadTimeout:       config.ReadTimeout,
		WriteTimeout:      config.WriteTimeout,
		IdleTimeout:       config.IdleTimeout,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),

		DisableGeneralOptionsHandler: true, // its responses have no correlation ID
	}
	return s, nil
}

// handler returns the API with the middleware that every request passes, the outermost first.
func (s *Server) handler(routes []Route, traces trace.TracerProvider) http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = clientAddress(s.config.TrustedProxies)
	chain := []echo.MiddlewareFunc{s.dropClaimedTrace}
	if telemetry.IsOn(traces) {
		chain = append(chain, traceRequests(traces))
	}
	chain = append(chain, s.observe, middleware.RecoverWithConfig(middleware.RecoverConfig{
		DisableStackAll:     true,
		DisableErrorHandler: true,
		LogErrorFunc: func(_ echo.Context, err error, stack []byte) error {
			return fmt.Errorf("panic: %w\n%s", err, stack)
		},
	}))
	if len(s.config.CORSOrigins) > 0 {
		chain = append(chain, middleware.CORSWithConfig(middleware.CORSConfig{
			AllowOrigins:  s.config.CORSOrigins,
			AllowHeaders:  []string{echo.HeaderAuthorization, echo.HeaderContentType, headerIdempotencyKey},
			ExposeHeaders: []string{headerCorrelationID, echo.HeaderLocation, echo.HeaderRetryAfter},
		}))
	}
	serve := func(c echo.Context) error {
		if err := s.checkHeaders(c.Request()); err != nil {
			return err
		}
		return c.Handler()(c) // which the router has found
	}
	for _, m := range slices.Backward(chain) {
		serve = m(serve)
	}
	e.Use(func(echo.HandlerFunc) echo.HandlerFunc { return serve }) // echo would make the chain anew for each request
	for _, r := range routes {
		handler := s.newRouteHandler(r)
		e.Add(r.Method, r.Path, handler.serve)
		if r.Method == http.MethodGet { // net/http leaves the body out of the response
			e.Add(http.MethodHead, r.Path, handler.serve)
		}
	}
	return s.linger(e)
}

// linger reads on after a response that ends the connection, for the read time-out at most, while the client still sends the
// body: a client that reads only afterwards would lose the response (RFC 9112, section 9.6).
func (s *Server) linger(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if w.Header().Get(echo.HeaderConnection) == "close" {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.config.ReadTimeout))
			_, _ = io.CopyN(io.Discard, r.Body, lingerBytes)
		}
	})
}

// OnFailure registers f, which is called if the listener fails. It must be called before Start.
func (s *Server) OnFailure(f func(error)) { s.fail = f }

// Start listens, and serves in the background.
func (s *Server) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.config.Addr)
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	s.listener = netutil.LimitListener(listener, s.config.MaxConnections)
	s.logger.InfoContext(ctx, "serving HTTP", "addr", s.Addr().String())
	go func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("serve HTTP: %w", err))
		}
	}()
	return nil
}

// Addr returns the address that the server listens on, once it is started.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Stop accepts no more requests and waits for those in flight. When ctx ends first, their connections are closed.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop serving HTTP: %w", err), s.http.Close())
	}
	return err
}
