package service

import (
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"example.com/warren/pkg/rpc"
)

// newLogger returns the logger of a service: one line per entry, JSON or text, each with the service's name and, if it is
// logged with a context, with the request that the context belongs to.
func newLogger(w io.Writer, name string, config *Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(config.LogLevel)) // the value is validated
	var handler slog.Handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: inSeconds})
	if config.LogFormat == "text" {
		handler = slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	}
	return slog.New(requestHandler{handler}).With("service", name)
}

// inSeconds writes durations in seconds, as the metrics do. JSON would have nanoseconds.
func inSeconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key, a.Value.Duration().Seconds())
	}
	return a
}

const correlationIDKey = "correlation_id"

// requestHandler adds to each entry what its context says of the request: correlation ID, trace and span. A correlation ID
// that the entry has already stays.
type requestHandler struct{ slog.Handler }

func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := rpc.CorrelationIDFrom(ctx); id != "" && !hasAttr(r, correlationIDKey) {
		r.AddAttrs(slog.String(correlationIDKey, id))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func hasAttr(r slog.Record, key string) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}

func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}
