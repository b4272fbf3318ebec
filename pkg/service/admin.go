package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func adminHandler(h *health, registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", h.live)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	return mux
}

// admin is the listener for operators. Its zero value is off.
type admin struct {
	addr   string
	server *http.Server
	served chan struct{} // closed when the server has ended
}

// startAdmin listens on addr, unless it is empty. fail is told if the listener breaks.
func startAdmin(ctx context.Context, addr string, handler http.Handler, logger *slog.Logger, fail Fail) (*admin, error) {
	if addr == "" {
		return &admin{}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open the admin listener (ADMIN_ADDR): %w", err)
	}
	a := &admin{
		addr: listener.Addr().String(),
		server: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
		served: make(chan struct{}),
	}
	go func() {
		defer close(a.served)
		if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("admin listener: %w", err))
		}
	}()
	return a, nil
}

// stop answers the requests that run, until ctx ends.
func (a *admin) stop(ctx context.Context) error {
	if a.server == nil {
		return nil
	}
	err := a.server.Shutdown(ctx)
	if err != nil {
		err = a.server.Close() // a prober that is cut off is no failure of the service
	}
	<-a.served
	return err
}
