// Package telemetry records the traces of a service with OpenTelemetry and exports them over OTLP/HTTP.
//
// The environment variables of OpenTelemetry are its only settings (https://opentelemetry.io/docs/languages/sdk-configuration/).
// Without OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, traces are off: see [Enabled].
//
// The chassis, package service, calls [Start] and installs the interceptors. The context of a call has its span.
package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// scope names what makes the spans of this package.
const scope = "example.com/warren/pkg/telemetry"

// Enabled reports whether the environment turns traces on: it names an endpoint, and has neither OTEL_SDK_DISABLED=true nor
// OTEL_TRACES_EXPORTER=none.
func Enabled() bool {
	endpoint := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") + os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	return strings.TrimSpace(endpoint) != "" && !is("OTEL_SDK_DISABLED", "true") && !is("OTEL_TRACES_EXPORTER", "none")
}

func is(name, value string) bool { return strings.EqualFold(strings.TrimSpace(os.Getenv(name)), value) }

// Service describes the service whose spans are recorded.
type Service struct {
	Name    string // unless OTEL_SERVICE_NAME is set
	Version string
	Logger  *slog.Logger
	Failed  func(spans int) // called with the number of spans that could not be exported; must not block
}

// Traces records the spans of one service. It is not global, so that several services can run in one process.
type Traces struct {
	provider  trace.TracerProvider
	tracer    trace.Tracer
	logger    *slog.Logger
	processor sdktrace.SpanProcessor
	exporter  *exporter
}

// Start returns nil if traces are off, or if the settings are so wrong that nothing can be exported, which it logs. It logs
// other wrong settings too, and uses their defaults instead.
func Start(ctx context.Context, s Service) *Traces {
	if !Enabled() {
		return nil
	}
	// The SDK reports what is wrong to two global functions. In a process with several services, those of the last one count.
	otel.SetLogger(logr.FromSlogHandler(s.Logger.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { s.Logger.WarnContext(ctx, "opentelemetry", "error", err) }))

	client, err := otlptracehttp.New(ctx)
	if err != nil {
		s.Logger.ErrorContext(ctx, "traces are off", "error", err)
		return nil
	}
	// The error is about wrong variables. WithResource below reports it too.
	about, _ := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithAttributes(semconv.ServiceName(s.Name), semconv.ServiceVersion(s.Version), semconv.ProcessPID(os.Getpid())),
		resource.WithFromEnv())
	t := &Traces{logger: s.Logger, exporter: &exporter{SpanExporter: client, logger: s.Logger, failed: s.Failed}}
	t.processor = sdktrace.NewBatchSpanProcessor(t.exporter)
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(t.processor), sdktrace.WithResource(about))
	t.tracer = t.provider.Tracer(scope)
	return t
}

// Provider returns the provider of tracers for spans of other kinds. If t is nil, they record nothing; see [IsOn].
func (t *Traces) Provider() trace.TracerProvider {
	if t == nil {
		return noop.NewTracerProvider()
	}
	return t.provider
}

// IsOn reports whether the tracers of a provider record anything. If not, install no middleware.
func IsOn(provider trace.TracerProvider) bool {
	_, off := provider.(noop.TracerProvider)
	return !off
}

// Stop exports the spans that have ended, until ctx ends.
func (t *Traces) Stop(ctx context.Context) {
	if t == nil {
		return
	}
	// The processor would wait for the exporter's time limit, which may be longer than ctx.
	err := t.processor.Shutdown(ctx)
	if err = errors.Join(err, t.exporter.Shutdown(ctx)); err != nil {
		t.logger.WarnContext(ctx, "did not export the last spans", "error", err)
	}
}

// propagator reads and writes the headers traceparent and tracestate (https://www.w3.org/TR/trace-context/).
var propagator propagation.TraceContext

// Extract returns a context whose spans belong to the trace that header names, if it names one.
func Extract(ctx context.Context, header http.Header) context.Context {
	if header[traceparent] == nil {
		return ctx
	}
	return propagator.Extract(ctx, carrier(header))
}

// inject returns header with the span of ctx instead of the one that it names. It does not change header, which others may use.
func inject(ctx context.Context, header http.Header) http.Header {
	out := make(http.Header, len(header)+2)
	maps.Copy(out, header)
	delete(out, traceparent)
	delete(out, tracestate)
	propagator.Inject(ctx, carrier(out))
	return out
}

const (
	traceparent = "Traceparent"
	tracestate  = "Tracestate"
)

// carrier is an http.Header for the propagator. Unlike propagation.HeaderCarrier it allocates no names.
type carrier http.Header

func (c carrier) Get(name string) string { return http.Header(c).Get(canonical(name)) }
func (c carrier) Set(name, value string) { c[canonical(name)] = []string{value} }
func (c carrier) Keys() []string         { return slices.Collect(maps.Keys(c)) }

func canonical(name string) string {
	switch name {
	case "traceparent":
		return traceparent
	case "tracestate":
		return tracestate
	default:
		return http.CanonicalHeaderKey(name)
	}
}
