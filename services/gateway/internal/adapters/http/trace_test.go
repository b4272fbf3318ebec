package http

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/warren/pkg/rpc"
)

func TestSpans(t *testing.T) {
	tests := map[string]struct {
		method, target string
		err            error // of the call
		name           string
		attributes     map[string]any // beside scheme and correlation ID
		status         codes.Code
	}{
		"a route": {
			http.MethodGet, "/v1/things/7?token=secret", nil, "GET /v1/things/:id",
			map[string]any{
				"http.request.method": "GET", "http.response.status_code": int64(200), "http.route": "/v1/things/:id",
				"url.path": "/v1/things/7",
			},
			codes.Unset,
		},
		"a refusal": {
			http.MethodGet, "/v1/things/7", rpc.NotFound("no"), "GET /v1/things/:id",
			map[string]any{
				"http.request.method": "GET", "http.response.status_code": int64(404), "http.route": "/v1/things/:id",
				"url.path": "/v1/things/7",
			},
			codes.Unset,
		},
		"a failure": {
			http.MethodGet, "/v1/things/7", errors.New("secret"), "GET /v1/things/:id",
			map[string]any{
				"http.request.method": "GET", "http.response.status_code": int64(500), "http.route": "/v1/things/:id",
				"url.path": "/v1/things/7", "error.type": "500",
			},
			codes.Error,
		},
		"no route": {
			http.MethodGet, "/none", nil, "GET",
			map[string]any{"http.request.method": "GET", "http.response.status_code": int64(404), "url.path": "/none"},
			codes.Unset,
		},
		"another method": {
			"BREW", "/v1/things", nil, methodLabel("BREW") + " /v1/things",
			map[string]any{
				"http.request.method": methodLabel("BREW"), "http.response.status_code": int64(405), "http.route": "/v1/things",
				"url.path": "/v1/things",
			},
			codes.Unset,
		},
		"not UTF-8": { // a span with such an attribute could not be exported
			http.MethodGet, "/v1/things/%ff", nil, "GET /v1/things/:id",
			map[string]any{
				"http.request.method": "GET", "http.response.status_code": int64(200), "http.route": "/v1/things/:id",
				"url.path": "/v1/things/\uFFFD",
			},
			codes.Unset,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			recorder := tracetest.NewSpanRecorder()
			f := newTracedFixture(t, options(), things, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
			if test.err != nil {
				f.caller.f = func(context.Context, *rpc.Request) (*rpc.Reply, error) { return nil, test.err }
			}
			w := f.do(newRequest(test.method, test.target, ""))
			spans := recorder.Ended()
			if len(spans) != 1 {
				t.Fatalf("%d spans", len(spans))
			}
			got := map[string]any{}
			for _, a := range spans[0].Attributes() {
				got[string(a.Key)] = a.Value.AsInterface()
			}
			test.attributes["url.scheme"] = "http"
			test.attributes["messaging.message.conversation_id"] = w.Header().Get("X-Correlation-Id")
			if diff := cmp.Diff(test.attributes, got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if spans[0].Name() != test.name || spans[0].Status() != (sdktrace.Status{Code: test.status}) {
				t.Errorf("span %s with status %v, want %s with %v", spans[0].Name(), spans[0].Status(), test.name, test.status)
			}
		})
	}
}
