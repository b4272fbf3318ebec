package telemetry

import (
	"context"
	"log/slog"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporter counts the spans that can't be exported, instead of returning an error for each batch, which the SDK would log.
type exporter struct {
	sdktrace.SpanExporter
	logger *slog.Logger
	failed func(spans int)
	down   bool // the processor never calls ExportSpans concurrently
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && !e.down:
		e.logger.WarnContext(ctx, "spans can't be exported", "error", err)
	case err == nil && e.down:
		e.logger.InfoContext(ctx, "spans are exported again")
	}
	e.down = err != nil
	if e.down {
		e.failed(len(spans))
	}
	return nil
}
