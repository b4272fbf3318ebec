package telemetry_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/trace"

	"example.com/warren/pkg/telemetry"
)

// TestObserve expects that exactly the sampled trace is an exemplar.
func TestObserve(t *testing.T) {
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "test_seconds", Buckets: []float64{1, 2, 4}})
	telemetry.Observe(t.Context(), histogram, 500*time.Millisecond)
	for seconds, flags := range []trace.TraceFlags{0, 0, trace.FlagsSampled} {
		span := trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{byte(seconds), 0xff}, SpanID: trace.SpanID{1}, TraceFlags: flags,
		})
		ctx := trace.ContextWithSpanContext(t.Context(), span)
		telemetry.Observe(ctx, histogram, time.Duration(seconds)*time.Second+time.Second)
	}
	var m dto.Metric
	if err := histogram.Write(&m); err != nil {
		t.Fatal(err)
	}
	exemplars := map[float64]string{}
	for _, b := range m.GetHistogram().GetBucket() {
		for _, label := range b.GetExemplar().GetLabel() {
			exemplars[b.GetUpperBound()] = label.GetName() + "=" + label.GetValue()
		}
	}
	want := map[float64]string{4: "trace_id=02ff0000000000000000000000000000"}
	if diff := cmp.Diff(want, exemplars); diff != "" || m.GetHistogram().GetSampleCount() != 4 {
		t.Errorf("%d samples; exemplars of buckets (-want +got):\n%s", m.GetHistogram().GetSampleCount(), diff)
	}
}

// BenchmarkObserve measures what a call costs while traces are off.
func BenchmarkObserve(b *testing.B) {
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "test_seconds"})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		telemetry.Observe(ctx, histogram, time.Millisecond)
	}
}
