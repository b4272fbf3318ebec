package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof" // also adds itself to http.DefaultServeMux, which is not served
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// admin is the listener for operators. The zero value does not listen.
type admin struct {
	addr   string
	server *http.Server
	served chan struct{} // closed when the server has ended
}

// startAdmin listens on ADMIN_ADDR, unless it is empty. A listener that breaks fails the service.
func (c *chassis) startAdmin() (*admin, error) {
	if c.config.AdminAddr == "" {
		return &admin{}, nil
	}
	listener, err := new(net.ListenConfig).Listen(c.startContext, "tcp", c.config.AdminAddr)
	if err != nil {
		return nil, fmt.Errorf("open the admin listener (ADMIN_ADDR): %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", c.health.live)
	mux.HandleFunc("GET /readyz", c.health.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.metrics.registry, promhttp.HandlerOpts{
		Registry:          c.metrics.registry,
		EnableOpenMetrics: true, // exemplars need it
	}))
	if c.config.AdminProfiling {
		addProfiling(mux)
	}
	requests, cancel := context.WithCancel(context.Background())
	a := &admin{
		addr: listener.Addr().String(),
		server: &http.Server{
			Handler:           mux,
			BaseContext:       func(net.Listener) context.Context { return requests },
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          slog.NewLogLogger(c.logger.Handler(), slog.LevelDebug),
		},
		served: make(chan struct{}),
	}
	a.server.RegisterOnShutdown(cancel) // a profile of minutes must not hold up the stop
	go func() {
		defer close(a.served)
		if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.fail(fmt.Errorf("admin listener: %w", err))
		}
	}()
	return a, nil
}

// addProfiling adds the handlers of net/http/pprof, except that of the command line, whose flags may hold passwords.
func addProfiling(mux *http.ServeMux) {
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
}

// stop ends the profiles in flight, and waits for all requests in flight until ctx ends.
func (a *admin) stop(ctx context.Context) error {
	if a.server == nil {
		return nil
	}
	err := a.server.Shutdown(ctx)
	if err != nil {
		err = a.server.Close() // cutting off a prober is no failure of the service
	}
	<-a.served
	return err
}
