package service

import (
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"example.com/warren/pkg/rpc"
)

// newLogger returns the logger of a service: one line per entry, JSON or text, each with the service's name and, if it is
// logged with a context, with the request that the context belongs to. Call flush when the service has ended.
func newLogger(w io.Writer, name string, config *Config) (logger *slog.Logger, flush func()) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(config.LogLevel)) // the value is validated
	options := &slog.HandlerOptions{Level: level}
	buffer := &logBuffer{w: w, interval: config.LogFlushInterval}
	handler := requestHandler{slog.NewJSONHandler(buffer, options), inSeconds, buffer.flush}
	if config.LogFormat == "text" {
		handler = requestHandler{slog.NewTextHandler(buffer, options), unchanged, buffer.flush}
	}
	return slog.New(handler).With("service", name), buffer.flush
}

func unchanged(a slog.Attr) slog.Attr { return a }

// inSeconds writes durations in seconds, as the metrics do. JSON would have nanoseconds.
func inSeconds(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindDuration:
		a.Value = slog.Float64Value(v.Duration().Seconds())
	case slog.KindGroup:
		a.Value = slog.GroupValue(replaced(v.Group(), inSeconds)...)
	}
	return a
}

const correlationIDKey = "correlation_id"

// requestHandler adds to each entry what its context says of the request: correlation ID, trace and span. They are part of
// the group that slog.Logger.WithGroup has opened, if any. A correlation ID that the entry has already stays. The handler also
// replaces attributes: slog's own handlers are much slower when they do that.
type requestHandler struct {
	slog.Handler
	replace func(slog.Attr) slog.Attr
	flush   func() // after warnings and errors
}

func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	attrs := make([]slog.Attr, 0, 16) // on the stack
	hasID := false
	r.Attrs(func(a slog.Attr) bool {
		hasID = hasID || a.Key == correlationIDKey
		attrs = append(attrs, h.replace(a))
		return true
	})
	if id := rpc.CorrelationIDFrom(ctx); id != "" && !hasID {
		attrs = append(attrs, slog.String(correlationIDKey, id))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		attrs = append(attrs, slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	out.AddAttrs(attrs...)
	err := h.Handler.Handle(ctx, out)
	if r.Level >= slog.LevelWarn {
		h.flush()
	}
	return err
}

func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(replaced(attrs, h.replace)), h.replace, h.flush}
}

func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name), h.replace, h.flush}
}

func replaced(attrs []slog.Attr, replace func(slog.Attr) slog.Attr) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = replace(a)
	}
	return out
}
