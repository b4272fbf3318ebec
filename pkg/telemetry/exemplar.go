package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Observe adds a duration to a histogram. If the trace of ctx is sampled, it becomes the exemplar of its bucket.
func Observe(ctx context.Context, histogram prometheus.Observer, duration time.Duration) {
	span := trace.SpanContextFromContext(ctx)
	if h, ok := histogram.(prometheus.ExemplarObserver); ok && span.IsSampled() {
		h.ObserveWithExemplar(duration.Seconds(), prometheus.Labels{"trace_id": span.TraceID().String()})
		return
	}
	histogram.Observe(duration.Seconds())
}
