package http

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"example.com/warren/pkg/telemetry"
)

// metrics are named after the semantic conventions of OpenTelemetry
// (https://opentelemetry.io/docs/specs/semconv/http/http-metrics/).
type metrics struct {
	durations *prometheus.HistogramVec // its count is that of the requests
	active    *prometheus.GaugeVec
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_server_request_duration_seconds",
			Help:    "Time from a request's headers to the end of its response, by the response's status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"http_request_method", "http_route", "http_response_status_code", "error_type"}),
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "http_server_active_requests", Help: "HTTP requests being served now.",
		}, []string{"http_request_method"}),
	}
	return m, errors.Join(registerer.Register(m.durations), registerer.Register(m.active))
}

// observe adds a request. A failure of the server has its status as the type of its error.
func (m *metrics) observe(c echo.Context, duration time.Duration) {
	r, code := c.Request(), c.Response().Status
	status, errorType := strconv.Itoa(code), ""
	if code >= http.StatusInternalServerError {
		errorType = status
	}
	telemetry.Observe(r.Context(), m.durations.WithLabelValues(methodLabel(r.Method), c.Path(), status, errorType), duration)
}

// methodLabel returns the method, or "_OTHER" for one that a client made up.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "_OTHER"
	}
}
