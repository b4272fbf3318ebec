package http

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"example.com/warren/pkg/telemetry"
)

// traceRequests makes a span of each request. The span belongs to the trace that the request names, or begins one; see
// dropClaimedTrace.
func traceRequests(provider trace.TracerProvider) echo.MiddlewareFunc {
	tracer := provider.Tracer("example.com/warren/services/gateway")
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			name := strings.TrimSpace(methodLabel(r.Method) + " " + c.Path())
			ctx, span := tracer.Start(telemetry.Extract(r.Context(), r.Header), name, trace.WithSpanKind(trace.SpanKindServer))
			defer span.End()
			c.SetRequest(r.WithContext(ctx))
			err := next(c)
			if span.IsRecording() {
				describe(span, c)
			}
			return err
		}
	}
}

// describe sets what is known of a request after its response. The query and the headers may hold secrets.
func describe(span trace.Span, c echo.Context) {
	r, status := c.Request(), c.Response().Status
	span.SetAttributes(
		telemetry.HTTPRequestMethod.String(methodLabel(r.Method)),
		telemetry.HTTPResponseStatusCode.Int(status),
		telemetry.Text(telemetry.URLPath, r.URL.Path),
		telemetry.URLScheme.String("http"),
		telemetry.ConversationID.String(c.Response().Header().Get(headerCorrelationID)),
	)
	if c.Path() != "" {
		span.SetAttributes(telemetry.HTTPRoute.String(c.Path()))
	}
	if status >= http.StatusInternalServerError {
		span.SetAttributes(telemetry.ErrorType.String(strconv.Itoa(status)))
		span.SetStatus(codes.Error, "")
	}
}
