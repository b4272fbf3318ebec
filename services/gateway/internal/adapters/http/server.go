// Package http is the gateway's HTTP API. routes.go says which route calls which method, proxy.go turns a request into
// a call and its reply into a response, and problem.go says which status each failure has.
package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/semaphore"

	"example.com/warren/pkg/rpc"
)

// parseableHeaderBytes is where net/http itself stops reading headers, with a plain 431. Below it, requests over
// Options.MaxHeaderBytes get a proper answer.
const parseableHeaderBytes = 64 << 10

// Caller makes calls; *rpc.Client does.
type Caller interface {
	Do(ctx context.Context, request *rpc.Request) (*rpc.Reply, error)
}

// Authenticator tells who sent a token; *app.Authenticator does.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (*rpc.Identity, error)
	Forget(token string)
}

// Options are the settings of a Server. All are required, but for TrustedProxies and CORSOrigins.
type Options struct {
	Addr           string
	Timeout        time.Duration // of a call, unless its route has another
	TimeoutStatus  int           // of a call without a reply in time
	MaxBodyBytes   int64
	MaxBodiesBytes int64 // of the requests in flight together; of one route half of that
	MaxHeaderBytes int   // request line and headers
	MaxConnections int   // served at once; more wait to be accepted

	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration
	WriteTimeout      time.Duration
	IdleTimeout       time.Duration

	TrustedProxies []netip.Prefix // those whose X-Forwarded-For is believed
	CORSOrigins    []string
}

// Server serves the API.
type Server struct {
	options       Options
	caller        Caller
	authenticator Authenticator
	logger        *slog.Logger
	metrics       *metrics
	bodies        *semaphore.Weighted // bytes of all request bodies in memory
	http          *http.Server
	fail          func(error)

	listener net.Listener  // nil before Start
	served   chan struct{} // closed when no more connections are accepted
}

// NewServer returns a server of the API's routes.
func NewServer(options Options, caller Caller, authenticator Authenticator, logger *slog.Logger,
	registerer prometheus.Registerer,
) (*Server, error) {
	return newServer(routes, options, caller, authenticator, logger, registerer)
}

func newServer(declare func(*table), options Options, caller Caller, authenticator Authenticator, logger *slog.Logger,
	registerer prometheus.Registerer,
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
		options:       options,
		caller:        caller,
		authenticator: authenticator,
		logger:        logger,
		metrics:       m,
		bodies:        semaphore.NewWeighted(options.MaxBodiesBytes),
		fail:          func(error) {},
		served:        make(chan struct{}),
	}
	if err := s.checkTimeouts(routes); err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler:           s.handler(routes),
		MaxHeaderBytes:    parseableHeaderBytes,
		ReadHeaderTimeout: options.ReadHeaderTimeout,
		ReadTimeout:       options.ReadTimeout,
		WriteTimeout:      options.WriteTimeout,
		IdleTimeout:       options.IdleTimeout,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	return s, nil
}

// checkTimeouts makes sure that a response can still be written when a call has taken all its time.
func (s *Server) checkTimeouts(routes []Route) error {
	longest := s.options.Timeout
	for _, r := range routes {
		longest = max(longest, s.timeout(r))
	}
	if s.options.WriteTimeout <= longest {
		return fmt.Errorf("the write time-out %s is not longer than the longest call, %s", s.options.WriteTimeout, longest)
	}
	return nil
}

// handler is the API with all that concerns every request, the outermost first.
func (s *Server) handler(routes []Route) http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = clientAddress(s.options.TrustedProxies)
	e.Use(s.observe, s.recover)
	if len(s.options.CORSOrigins) > 0 {
		e.Use(middleware.CORSWithConfig(middleware.CORSConfig{
			AllowOrigins:  s.options.CORSOrigins,
			AllowHeaders:  []string{echo.HeaderAuthorization, echo.HeaderContentType, headerIdempotencyKey},
			ExposeHeaders: []string{headerCorrelationID, echo.HeaderLocation, echo.HeaderRetryAfter},
		}))
	}
	e.Use(s.limitHeaders)
	for _, r := range routes {
		e.Add(r.Method, r.Path, s.newRouteHandler(r).serve)
	}
	return headAsGet(e)
}

// headAsGet routes a HEAD as the GET whose headers it asks for (RFC 9110, section 9.3.2). net/http, which looks at the
// request that it made itself, leaves out the body. Log and metrics count it as a GET.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			r = r.WithContext(r.Context())
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// OnFailure has f called if the listener breaks. It must be called before Start.
func (s *Server) OnFailure(f func(error)) { s.fail = f }

// Start listens, and serves in the background.
func (s *Server) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.options.Addr)
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	listener = netutil.LimitListener(listener, s.options.MaxConnections)
	s.listener = listener
	s.logger.InfoContext(ctx, "serving HTTP", "addr", listener.Addr().String())
	go func() {
		defer close(s.served)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("serve HTTP: %w", err))
		}
	}()
	return nil
}

// Addr is where the server listens, once it is started.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Stop takes no more requests and waits for those that run. When ctx ends first, they are cut off.
func (s *Server) Stop(ctx context.Context) error {
	if s.listener == nil {
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop serving HTTP: %w", err), s.http.Close())
	}
	<-s.served
	return err
}
