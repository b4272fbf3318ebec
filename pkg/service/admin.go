package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/warren/pkg/messaging"
)

// phase is how far a service has come.
type phase string

const (
	starting phase = "starting"
	running  phase = "running"
	stopping phase = "stopping"
)

// health answers /livez and /readyz.
type health struct {
	broker messaging.Broker
	phase  atomic.Value // phase; nil: starting
}

func (h *health) live(w http.ResponseWriter, _ *http.Request) { writeHealth(w, nil) }

func (h *health) ready(w http.ResponseWriter, _ *http.Request) {
	reasons := map[string]string{}
	if p, _ := h.phase.Load().(phase); p != running {
		reasons["service"] = string(cmp.Or(p, starting))
	}
	if err := h.broker.Ready(); err != nil {
		reasons["broker"] = err.Error()
	}
	writeHealth(w, reasons)
}

// writeHealth reports that the service is unavailable for the reasons, or fine if there are none.
func writeHealth(w http.ResponseWriter, reasons map[string]string) {
	status, text := http.StatusOK, "ok"
	if len(reasons) > 0 {
		status, text = http.StatusServiceUnavailable, "unavailable"
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Status  string            `json:"status"`
		Reasons map[string]string `json:"reasons,omitempty"`
	}{text, reasons}) // an error means that the client has disconnected
}

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
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.metrics.registry, promhttp.HandlerOpts{Registry: c.metrics.registry}))
	a := &admin{
		addr: listener.Addr().String(),
		server: &http.Server{
			Handler:           mux,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          slog.NewLogLogger(c.logger.Handler(), slog.LevelDebug),
		},
		served: make(chan struct{}),
	}
	go func() {
		defer close(a.served)
		if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.fail(fmt.Errorf("admin listener: %w", err))
		}
	}()
	return a, nil
}

// stop waits for the requests in flight until ctx ends.
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
