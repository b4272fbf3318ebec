// Package telemetrytest receives the spans of services in tests.
package telemetrytest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"example.com/warren/pkg/awaittest"
)

// Span is a span that was received.
type Span struct {
	Service           string // of the resource
	TraceID, ID       string // in hexadecimal digits
	ParentID          string // "": the first of its trace
	Name, Kind        string // the kind is CLIENT, SERVER …
	Start, End        time.Time
	Failed            bool           // the status is an error
	StatusDescription string         // of the status
	Attributes        map[string]any // string, int64, float64, bool or []any
	Events            []string       // their names
}

// Receiver is an OTLP/HTTP receiver.
type Receiver struct {
	server *httptest.Server
	down   atomic.Bool

	mu    sync.Mutex
	spans []Span
}

// NewReceiver returns a receiver that listens until the test ends.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := new(Receiver)
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

// SetDown makes r close each connection without a response, or receive again.
func (r *Receiver) SetDown(down bool) { r.down.Store(down) }

// Environment returns the variables that make a service export its spans to r, soon after they end.
func (r *Receiver) Environment() map[string]string {
	return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.server.URL, "OTEL_BSP_SCHEDULE_DELAY": "50"}
}

// ClearEnvironment removes the variables that turn traces on.
func ClearEnvironment() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "OTEL_") {
			_ = os.Unsetenv(name)
		}
	}
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if r.down.Load() {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	body, err := io.ReadAll(request.Body)
	var export collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &export)
	}
	if err != nil || request.URL.Path != "/v1/traces" {
		http.Error(w, "no export of traces", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range export.GetResourceSpans() {
		service, _ := attributes(resource.GetResource().GetAttributes())["service.name"].(string)
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				r.spans = append(r.spans, newSpan(service, span))
			}
		}
	}
}

func newSpan(service string, s *otlp.Span) Span {
	span := Span{
		Service: service,
		TraceID: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), ParentID: hex.EncodeToString(s.GetParentSpanId()),
		Name: s.GetName(), Kind: s.GetKind().String()[len("SPAN_KIND_"):],
		Start:  time.Unix(0, int64(s.GetStartTimeUnixNano())), //nolint:gosec // of this century
		End:    time.Unix(0, int64(s.GetEndTimeUnixNano())),   //nolint:gosec // of this century
		Failed: s.GetStatus().GetCode() == otlp.Status_STATUS_CODE_ERROR, StatusDescription: s.GetStatus().GetMessage(),
		Attributes: attributes(s.GetAttributes()),
	}
	for _, event := range s.GetEvents() {
		span.Events = append(span.Events, event.GetName())
	}
	return span
}

func attributes(list []*common.KeyValue) map[string]any {
	values := map[string]any{}
	for _, kv := range list {
		values[kv.GetKey()] = value(kv.GetValue())
	}
	return values
}

func value(v *common.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_IntValue:
		return v.IntValue
	case *common.AnyValue_DoubleValue:
		return v.DoubleValue
	case *common.AnyValue_BoolValue:
		return v.BoolValue
	case *common.AnyValue_ArrayValue:
		list := []any{}
		for _, element := range v.ArrayValue.GetValues() {
			list = append(list, value(element))
		}
		return list
	default:
		return nil
	}
}

// Spans returns the spans that were received, in the order of their starts.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	spans := slices.Clone(r.spans)
	slices.SortStableFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return spans
}

// Await returns the spans that were received, in the order of their starts, once enough is true for them.
func (r *Receiver) Await(t testing.TB, what string, enough func(spans []Span) bool) []Span {
	t.Helper()
	var spans []Span
	awaittest.Until(t, what, func() bool {
		spans = r.Spans()
		return enough(spans)
	})
	return spans
}
