package service

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"example.com/warren/pkg/rpc"
)

func TestLogger(t *testing.T) {
	tests := map[string]struct {
		format string
		want   []string
	}{
		"json": {"json", []string{`"service":"orders"`, `"took":1.5`, `"level":"INFO"`}},
		"text": {"text", []string{"service=orders", "took=1.5s", "level=INFO"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			logger, _ := newLogger(&out, "orders", &Config{LogLevel: "info", LogFormat: test.format})
			logger.Info("done", "took", 1500*time.Millisecond)
			logger.Debug("not shown")
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %s in %s", want, out.String())
				}
			}
			if lines := strings.Count(out.String(), "\n"); lines != 1 {
				t.Errorf("%d lines, want 1:\n%s", lines, out.String())
			}
		})
	}
}

func TestDurationsAreSeconds(t *testing.T) {
	var out bytes.Buffer
	logger, _ := newLogger(&out, "orders", &Config{LogLevel: "info", LogFormat: "json"})
	logger = logger.With("limit", time.Minute)
	logger.Info("done", slog.Group("took", "reading", 250*time.Millisecond, slog.Group("of", "it", time.Second)))
	if want := `"limit":60,"took":{"reading":0.25,"of":{"it":1}}}`; !strings.HasSuffix(strings.TrimSpace(out.String()), want) {
		t.Errorf("line %s, want its end %s", out.String(), want)
	}
}

func TestLoggerNamesTheRequest(t *testing.T) {
	named := rpc.WithCorrelationID(t.Context(), "c-1")
	traced := trace.ContextWithSpanContext(named, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: 1}, SpanID: trace.SpanID{7: 2},
	}))
	const inTrace = `,"trace_id":"00000000000000000000000000000001","span_id":"0000000000000002"`
	tests := map[string]struct {
		ctx  context.Context
		args []any
		want string // the end of the line
	}{
		"no request":             {t.Context(), []any{"n", 1}, `"service":"orders","queue":"q","n":1}`},
		"a request":              {named, []any{"n", 1}, `"service":"orders","queue":"q","n":1,"correlation_id":"c-1"}`},
		"its ID is an attribute": {named, []any{"correlation_id", "c-2", "n", 1}, `"queue":"q","correlation_id":"c-2","n":1}`},
		"a span":                 {traced, nil, `"queue":"q","correlation_id":"c-1"` + inTrace + `}`},
		"a span and its ID":      {traced, []any{"correlation_id", "c-1"}, `"queue":"q","correlation_id":"c-1"` + inTrace + `}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			logger, _ := newLogger(&out, "orders", &Config{LogLevel: "info", LogFormat: "json"})
			logger = logger.With("queue", "q")
			logger.InfoContext(test.ctx, "done", test.args...)
			if line := strings.TrimSpace(out.String()); !strings.HasSuffix(line, test.want) {
				t.Errorf("line %s, want its end %s", line, test.want)
			}
		})
	}
}

// BenchmarkLogger logs a line as the gateway does for each request, to a file.
func BenchmarkLogger(b *testing.B) {
	for name, interval := range map[string]time.Duration{"at once": 0, "together": 100 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			file, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			logger, flush := newLogger(file, "gateway", &Config{LogLevel: "info", LogFormat: "json", LogFlushInterval: interval})
			defer flush()
			ctx := rpc.WithCorrelationID(b.Context(), "0b0e1a5e-6f4c-4d0a-9a51-5c8a3c1d2e3f")
			b.ReportAllocs()
			for b.Loop() {
				logger.LogAttrs(ctx, slog.LevelInfo, "request",
					slog.String("method", "GET"),
					slog.String("route", "/v1/orders/:id"),
					slog.String("path", "/v1/orders/0190a6d0-0000-7000-8000-000000000042"),
					slog.Int("status", 200),
					slog.Duration("duration", 1234567),
					slog.Int64("bytes", 1024),
					slog.String("correlation_id", "0b0e1a5e-6f4c-4d0a-9a51-5c8a3c1d2e3f"),
					slog.String("remote_ip", "127.0.0.1"),
					slog.String("subject", "42"))
			}
		})
	}
}
