package service

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
)

// phase is how far a service has come.
type phase int32

const (
	starting phase = iota
	running
	stopping
)

func (p phase) String() string { return [...]string{"starting", "running", "stopping"}[p] }

// health answers /livez and /readyz.
type health struct {
	broker interface{ Ready() error }
	phase  atomic.Int32
}

func (h *health) enter(p phase) { h.phase.Store(int32(p)) }

// reasons says why the service takes no requests; empty: it does.
func (h *health) reasons() map[string]string {
	reasons := map[string]string{}
	if p := phase(h.phase.Load()); p != running {
		reasons["service"] = p.String()
	}
	if err := h.broker.Ready(); err != nil {
		reasons["broker"] = err.Error()
	}
	return reasons
}

type healthStatus struct {
	Status  string            `json:"status"`
	Reasons map[string]string `json:"reasons,omitempty"`
}

func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	writeHealth(w, http.StatusOK, healthStatus{Status: "ok"})
}

func (h *health) ready(w http.ResponseWriter, _ *http.Request) {
	if reasons := h.reasons(); len(reasons) > 0 {
		writeHealth(w, http.StatusServiceUnavailable, healthStatus{Status: "unavailable", Reasons: reasons})
		return
	}
	writeHealth(w, http.StatusOK, healthStatus{Status: "ok"})
}

func writeHealth(w http.ResponseWriter, status int, body healthStatus) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // an error means that the prober has gone
}
