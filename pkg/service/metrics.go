package service

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
)

// newRegistry returns a registry of this service's own, so that several services fit in one process.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}

// metrics are what the chassis counts. The values of their labels are bounded: queues are named by code, a status is
// one of HTTP's or a word of callStatus.
type metrics struct {
	factory promauto.Factory

	server, client      callMetrics
	expired, unroutable prometheus.Counter
	orphans, forged     prometheus.Counter
	resent, reconnects  prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) *metrics {
	factory := promauto.With(registry)
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &metrics{
		factory:    factory,
		server:     newCallMetrics(factory, "server", "handled"),
		client:     newCallMetrics(factory, "client", "made"),
		expired:    counter("rpc_server_expired_requests_total", "Requests that came past their deadline and were dropped."),
		unroutable: counter("rpc_server_unroutable_replies_total", "Replies whose callback queue was gone."),
		orphans:    counter("rpc_client_orphan_replies_total", "Replies that nobody waited for."),
		forged:     counter("rpc_client_forged_replies_total", "Replies of another user than the service that was called."),
		resent:     counter("rpc_client_resent_requests_total", "Requests sent again because the connection was lost."),
		reconnects: counter("broker_reconnects_total", "Lost connections to the broker that stand again."),
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

func (m *metrics) gauge(name, help string, value func() float64) {
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

// callMetrics count the calls of one side.
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

// interceptor counts every call under the word that status finds for it.
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

// handledStatus is the status of the reply that the server sends.
func handledStatus(reply *rpc.Reply, err error) string { return strconv.Itoa(rpc.Status(reply, err)) }

// callStatus is the status of the reply that came, or a word for why none did.
func callStatus(reply *rpc.Reply, err error) string {
	switch {
	case err == nil:
		return strconv.Itoa(reply.Status)
	case errors.Is(err, rpc.ErrTimeout):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, rpc.ErrTooManyPending):
		return "too_many_pending"
	case errors.Is(err, messaging.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, messaging.ErrUnroutable):
		return "unroutable"
	case errors.Is(err, rpc.ErrMalformedReply):
		return "malformed_reply"
	default:
		return "error"
	}
}
