package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/service/servicetest"
	"example.com/warren/pkg/telemetry"
	"example.com/warren/pkg/telemetry/telemetrytest"
)

func TestEnabled(t *testing.T) {
	tests := map[string]struct {
		environment map[string]string
		want        bool
	}{
		"nothing":             {nil, false},
		"an empty endpoint":   {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, false},
		"an endpoint":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true},
		"one for traces":      {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, true},
		"the SDK disabled":    {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "True"}, false},
		"the SDK enabled":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "false"}, true},
		"without an exporter": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.environment {
				t.Setenv(variable, value)
			}
			if got := telemetry.Enabled(); got != test.want {
				t.Errorf("Enabled() = %t", got)
			}
		})
	}
}

// A receiver that is down costs a counter and one line of the log, and its return another line.
func TestReceiverDown(t *testing.T) {
	receiver := telemetrytest.NewReceiver(t)
	receiver.SetDown(true)
	for name, value := range receiver.Environment() {
		t.Setenv(name, value)
	}
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "5")
	var log servicetest.Log
	var failed atomic.Int64
	traces := telemetry.Start(t.Context(), telemetry.Service{
		Name: "test", Logger: slog.New(slog.NewJSONHandler(&log, nil)), Failed: func(spans int) { failed.Add(int64(spans)) },
	})
	end := func() {
		_, span := traces.Provider().Tracer("test").Start(t.Context(), "work")
		span.End()
	}
	for range 3 { // three batches
		before := failed.Load()
		end()
		awaittest.Until(t, "a failed span", func() bool { return failed.Load() > before })
	}
	receiver.SetDown(false)
	end()
	receiver.Await(t, "a span", func(s []telemetrytest.Span) bool { return len(s) == 1 })
	traces.Stop(t.Context())
	if n := failed.Load(); n != 3 {
		t.Errorf("%d spans failed, want 3", n)
	}
	if lines := log.Entries("spans can't be exported"); len(lines) != 1 || strings.Count(log.String(), "\n") != 2 {
		t.Errorf("the log is\n%s", &log)
	}
	log.Await(t, "spans are exported again")
}

// A stop exports what is left, also the spans of a batch that has just begun.
func TestStop(t *testing.T) {
	traces, receiver := start(t)
	_, span := traces.Provider().Tracer("test").Start(t.Context(), "last")
	span.End()
	traces.Stop(t.Context())
	if spans := receiver.Spans(); len(spans) != 1 || spans[0].Name != "last" || spans[0].Service != "test" {
		t.Errorf("received %+v", spans)
	}
}

// A receiver that does not answer keeps a stop no longer than its context.
func TestStopWithoutAnAnswer(t *testing.T) {
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices only then that the client has gone
		close(asked)
		<-r.Context().Done()
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	var log servicetest.Log
	failed := make(chan int, 1)
	traces := telemetry.Start(t.Context(), telemetry.Service{
		Name: "test", Logger: slog.New(slog.NewJSONHandler(&log, nil)), Failed: func(spans int) { failed <- spans },
	})
	_, span := traces.Provider().Tracer("test").Start(t.Context(), "work")
	span.End()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		traces.Stop(ctx)
	}()
	awaittest.Receive(t, asked, "the export")
	cancel()
	awaittest.Receive(t, stopped, "the stop")
	if n := awaittest.Receive(t, failed, "the count of failed spans"); n != 1 {
		t.Errorf("%d spans failed", n)
	}
	log.Await(t, "did not export the last spans")
}

// Wrong settings are lines of the log, and no service fails because of them.
func TestWrongSettings(t *testing.T) {
	tests := map[string]struct{ variable, value, want string }{
		"sampler":  {"OTEL_TRACES_SAMPLER", "sometimes", "unsupported sampler: sometimes"},
		"endpoint": {"OTEL_EXPORTER_OTLP_ENDPOINT", "://", "missing protocol scheme"},
		"resource": {"OTEL_RESOURCE_ATTRIBUTES", "nothing", "missing value"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
			t.Setenv(test.variable, test.value)
			var log servicetest.Log
			traces := telemetry.Start(t.Context(), telemetry.Service{Name: "test", Logger: slog.New(slog.NewJSONHandler(&log, nil))})
			traces.Stop(t.Context())
			if !strings.Contains(log.String(), test.want) || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("the log lacks %q:\n%s", test.want, &log)
			}
		})
	}
}

// The environment names the service, as elsewhere in OpenTelemetry.
func TestServiceName(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "canary")
	traces, receiver := start(t)
	_, span := traces.Provider().Tracer("test").Start(t.Context(), "work")
	span.End()
	if got := receiver.Await(t, "a span", func(s []telemetrytest.Span) bool { return len(s) == 1 })[0].Service; got != "canary" {
		t.Errorf("the service is %q", got)
	}
}
