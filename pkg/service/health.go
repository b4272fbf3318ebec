package service

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/fx"

	"example.com/warren/pkg/messaging"
)

// HealthCheck reports whether something that the service depends on is available, such as its database.
type HealthCheck struct {
	Name  string                      // of the reason in /readyz
	Check func(context.Context) error // called by each probe, with one second
}

const (
	healthCheckGroup   = `group:"health_checks"`
	healthCheckTimeout = time.Second
)

// ProvideHealthCheck is fx.Provide for a constructor that returns a HealthCheck. The service is ready only while all
// checks of its module return nil.
func ProvideHealthCheck(constructor any) fx.Option {
	return fx.Provide(fx.Annotate(constructor, fx.ResultTags(healthCheckGroup)))
}

// The phases of a service. While a start hook is retried, its error follows starting.
const (
	starting = "starting"
	running  = "running"
	stopping = "stopping"
)

// health answers /livez and /readyz.
type health struct {
	broker messaging.Broker
	checks []HealthCheck // set before the phase is running
	phase  atomic.Value  // string
}

func newHealth(b messaging.Broker) *health {
	h := &health{broker: b}
	h.phase.Store(starting)
	return h
}

func (h *health) live(w http.ResponseWriter, _ *http.Request) { writeHealth(w, nil) }

func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	reasons := map[string]string{}
	if err := h.broker.Ready(); err != nil {
		reasons["broker"] = err.Error()
	}
	if p, _ := h.phase.Load().(string); p != running {
		reasons["service"] = p
		writeHealth(w, reasons)
		return
	}
	for _, c := range h.checks {
		if err := c.run(r.Context()); err != nil {
			reasons[c.Name] = err.Error()
		}
	}
	writeHealth(w, reasons)
}

func (c HealthCheck) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthCheckTimeout)
	defer cancel()
	return c.Check(ctx)
}

// writeHealth writes status 503 with the reasons, or 200 if there are none.
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
