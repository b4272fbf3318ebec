package service

import (
	"context"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/trace"

	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/telemetry"
)

// Labels after the semantic conventions of OpenTelemetry (https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/).
// Their values are bounded: code names the queues, a status is that of a reply, and a type of error is a status or one of
// rpc.ErrorType.
const (
	methodLabel    = "rpc_method"
	statusLabel    = "rpc_response_status_code" // empty without a reply
	errorTypeLabel = "error_type"               // empty for a success
	queueLabel     = "messaging_destination_name"
)

// metrics are what the chassis measures.
type metrics struct {
	registry       *prometheus.Registry // of this service alone: several can run in one process
	factory        promauto.Factory
	server, client callMetrics
	observer       rpc.Observer
	reconnects     prometheus.Counter
	setAside       *prometheus.CounterVec
	failedSpans    prometheus.Counter
}

func newMetrics(service string) *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	factory := promauto.With(registry)
	build := ReadBuild()
	factory.NewGauge(prometheus.GaugeOpts{
		Name: "service_build_info",
		Help: "1. The labels name the service and what it was built from.",
		ConstLabels: prometheus.Labels{
			"service_name": service, "service_version": build.Version, "commit": build.Commit, "go_version": runtime.Version(),
		},
	}).Set(1)
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	resent := counter("rpc_client_resent_requests_total", "Requests sent again because the connection was lost.")
	return &metrics{
		registry: registry,
		factory:  factory,
		server:   newCallMetrics(factory, "server", "handled"),
		client:   newCallMetrics(factory, "client", "made"),
		observer: rpc.Observer{
			ExpiredRequest:  counter("rpc_server_expired_requests_total", "Requests dropped because they arrived past their deadline.").Inc,
			UnroutableReply: counter("rpc_server_unroutable_replies_total", "Replies dropped because their callback queue was gone.").Inc,
			RefusedIdentity: counter("rpc_server_refused_identities_total", "Requests refused for an identity that is expired or not signed.").Inc,
			OrphanReply:     counter("rpc_client_orphan_replies_total", "Replies dropped because no call waited for them.").Inc,
			ForgedReply:     counter("rpc_client_forged_replies_total", "Replies dropped because another user than the service sent them.").Inc,
			ResentRequest: func(ctx context.Context) {
				resent.Inc()
				trace.SpanFromContext(ctx).AddEvent(telemetry.EventResent)
			},
		},
		failedSpans: counter("otel_exporter_failed_spans_total", "Spans of traces that could not be exported."),
		reconnects:  counter("messaging_reconnects_total", "Reconnections to the broker."),
		setAside: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "messaging_set_aside_messages_total",
			Help: "Messages dead-lettered, or dropped because their queue has no dead letters.",
		}, []string{queueLabel, "reason"}),
	}
}

func (m *metrics) observeClient(c *rpc.Client) {
	m.gauge("rpc_client_pending_calls", "Calls that wait for their reply.", func() float64 { return float64(c.Pending()) })
}

func (m *metrics) countFailedSpans(n int) { m.failedSpans.Add(float64(n)) }

func (m *metrics) gauge(name, help string, value func() float64) {
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

// callMetrics measure the calls of one side.
type callMetrics struct {
	durations *prometheus.HistogramVec // its count is that of the calls
	active    *prometheus.GaugeVec
}

func newCallMetrics(factory promauto.Factory, side, done string) callMetrics {
	prefix := "rpc_" + side + "_"
	return callMetrics{
		durations: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name:    prefix + "call_duration_seconds",
			Help:    "How long the calls " + done + " took, by their outcome.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{methodLabel, statusLabel, errorTypeLabel}),
		active: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: prefix + "active_calls",
			Help: "Calls being " + done + " now.",
		}, []string{methodLabel}),
	}
}

// interceptor measures every call under the outcome that outcome returns.
func (m callMetrics) interceptor(outcome func(*rpc.Reply, error) (status, errorType string)) rpc.Interceptor {
	return func(next rpc.Func) rpc.Func {
		return func(ctx context.Context, request *rpc.Request) (*rpc.Reply, error) {
			start := time.Now()
			active := m.active.WithLabelValues(request.Queue)
			active.Inc()
			defer active.Dec()
			reply, err := next(ctx, request)
			status, errorType := outcome(reply, err)
			telemetry.Observe(ctx, m.durations.WithLabelValues(request.Queue, status, errorType), time.Since(start))
			return reply, err
		}
	}
}

// handledOutcome returns the status of the reply that the server sends. A refusal is no error of the server.
func handledOutcome(reply *rpc.Reply, err error) (status, errorType string) {
	return statusOutcome(rpc.Status(reply, err), http.StatusInternalServerError)
}

// callOutcome returns the status of the reply, or a word for why there is none.
func callOutcome(reply *rpc.Reply, err error) (status, errorType string) {
	if err != nil {
		return "", rpc.ErrorType(err)
	}
	return statusOutcome(reply.Status, http.StatusBadRequest)
}

func statusOutcome(code, firstError int) (status, errorType string) {
	status = strconv.Itoa(code)
	if code >= firstError {
		errorType = status
	}
	return status, errorType
}
