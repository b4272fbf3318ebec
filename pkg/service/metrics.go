package service

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/trace"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/telemetry"
)

// metrics are what the chassis measures. The values of their labels are bounded: code names the queues, and a status is
// an HTTP status or one of rpc.ErrorType.
type metrics struct {
	registry       *prometheus.Registry // of this service alone: several can run in one process
	factory        promauto.Factory
	server, client callMetrics
	observer       rpc.Observer
	reconnects     prometheus.Counter
	setAside       *prometheus.CounterVec
	failedSpans    prometheus.Counter
}

func newMetrics() *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	factory := promauto.With(registry)
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
		reconnects:  counter("broker_reconnects_total", "Reconnections to the broker."),
		setAside: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "broker_messages_set_aside_total",
			Help: "Messages dead-lettered, or dropped because their queue has no dead letters.",
		}, []string{"queue", "reason"}),
	}
}

func (m *metrics) observeBroker(b messaging.Broker) {
	m.gauge("broker_connected", "1 while messages can be sent and received, 0 otherwise.", func() float64 {
		if b.Ready() != nil {
			return 0
		}
		return 1
	})
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
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	inFlight  *prometheus.GaugeVec
}

func newCallMetrics(factory promauto.Factory, side, done string) callMetrics {
	prefix := "rpc_" + side + "_"
	return callMetrics{
		requests: factory.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "requests_total",
			Help: "Calls " + done + ", by their outcome.",
		}, []string{"queue", "status"}),
		durations: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name:    prefix + "request_duration_seconds",
			Help:    "How long the calls " + done + " took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"queue"}),
		inFlight: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: prefix + "in_flight",
			Help: "Calls being " + done + " now.",
		}, []string{"queue"}),
	}
}

// interceptor measures every call and counts it under the status that status returns.
func (m callMetrics) interceptor(status func(*rpc.Reply, error) string) rpc.Interceptor {
	return func(next rpc.Func) rpc.Func {
		return func(ctx context.Context, request *rpc.Request) (*rpc.Reply, error) {
			start := time.Now()
			inFlight := m.inFlight.WithLabelValues(request.Queue)
			inFlight.Inc()
			defer inFlight.Dec()
			reply, err := next(ctx, request)
			m.requests.WithLabelValues(request.Queue, status(reply, err)).Inc()
			m.durations.WithLabelValues(request.Queue).Observe(time.Since(start).Seconds())
			return reply, err
		}
	}
}

// handledStatus returns the status of the reply that the server sends.
func handledStatus(reply *rpc.Reply, err error) string { return strconv.Itoa(rpc.Status(reply, err)) }

// callStatus returns the status of the reply, or a word for why there is none.
func callStatus(reply *rpc.Reply, err error) string {
	if err == nil {
		return strconv.Itoa(reply.Status)
	}
	return rpc.ErrorType(err)
}
