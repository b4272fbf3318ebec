package console

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// traceResponse is a response of /api/traces.
type traceResponse struct {
	TraceID  string     `json:"trace_id"`
	Started  float64    `json:"started"`
	Duration float64    `json:"duration_ms"`
	Spans    []spanView `json:"spans"`
	Logs     []entry    `json:"logs"`
}

func TestTrace(t *testing.T) {
	c := start(t, Options{})
	c.receiveAll(t, listOrders...)
	c.receiveAll(t, listOrders[0]) // a retry of the exporter
	id := strings.Repeat("01", 16)
	got := get[traceResponse](t, c, "/api/traces/"+id)
	var lines []string
	for _, s := range got.Spans {
		queue := "-"
		if s.Queue != nil {
			queue = fmt.Sprint(*s.Queue)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s +%v %vms, queue %s", s.ID[:2], s.Service, s.Name, s.Kind, s.Offset, s.Duration, queue))
	}
	want := []string{
		"01 gateway GET /v1/things/:id server +0 12ms, queue -",
		"02 gateway call things.get client +2 8ms, queue -",
		"03 things things.get server +6 3ms, queue 2.5",
		"04 things SELECT client +7 1ms, queue -",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if got.TraceID != id || got.Started != float64(epoch.UnixMilli()) || got.Duration != 12 {
		t.Errorf("trace %s, started %v, %v ms", got.TraceID, got.Started, got.Duration)
	}
	if found := get[map[string]string](t, c, "/api/correlation/c-1"); found["trace_id"] != id {
		t.Errorf("trace of the correlation ID: %v", found)
	}
	for _, path := range []string{"/api/traces/x", "/api/traces/" + strings.Repeat("9", 32), "/api/correlation/other", "/api/nothing"} {
		if got := c.send(t, http.MethodGet, path, "", nil); got.status != http.StatusNotFound || !strings.HasPrefix(got.body, `{"error":"`) {
			t.Errorf("%s: %d %s, want 404 and an error", path, got.status, got.body)
		}
	}
}

// TestQueueWait: a message's time is cut to the millisecond, so the wait may seem to begin before the call.
func TestQueueWait(t *testing.T) {
	caller := &span{start: 10_000_000}
	s := &span{start: 10_100_000, Attributes: map[string]any{queueWaitKey: 0.9}}
	if got := *newSpanView(s, caller, 0).Queue; got != 0.1 {
		t.Errorf("queue %v ms, want 0.1", got)
	}
	if got := *newSpanView(s, nil, 0).Queue; got != 0.9 {
		t.Errorf("queue %v ms without the caller's span, want 0.9", got)
	}
}

// TestJSON: other languages' SDKs may send JSON, with IDs in hex.
func TestJSON(t *testing.T) {
	c := start(t, Options{})
	body := `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"node"}}]},"scopeSpans":[{"spans":[{
		"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173","name":"a","kind":2,
		"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000","unknown":1,
		"attributes":[{"key":"n","value":{"intValue":"7"}}],"status":{"code":2,"message":"bad"}}]}]}]}`
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte(body))
	_ = w.Close()
	got := c.send(t, http.MethodPost, "/v1/traces", zipped.String(), map[string]string{"Content-Type": jsonType, "Content-Encoding": "gzip"})
	if got.status != http.StatusOK || got.body != "{}" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	spans := get[traceResponse](t, c, "/api/traces/5b8efff798038103d269b633813fc60c").Spans
	want := []spanView{{
		span: span{
			ID: "eee19b7ec3c1b174", Parent: "eee19b7ec3c1b173", Service: "node", Name: "a", Kind: "server",
			Status: "error", Message: "bad", Attributes: map[string]any{"n": 7.0},
		},
		Duration: 1000, Events: []eventView{},
	}}
	if diff := cmp.Diff(want, spans, cmp.AllowUnexported(spanView{}, span{})); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

const traceField = `"traceId":"5b8efff798038103d269b633813fc60c",`

func jsonSpan(fields string) string {
	return `{"resourceSpans":[{"scopeSpans":[{"spans":[{` + fields + `}]}]}]}`
}

func TestHostileBodies(t *testing.T) {
	c := start(t, Options{})
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, _ = w.Write(make([]byte, maxBody+1))
	_ = w.Close()
	valid := string(export(t, listOrders...))
	for name, test := range map[string]struct {
		contentType, coding, body string
		want                      int
	}{
		"no type":              {"", "", valid, http.StatusUnsupportedMediaType},
		"other type":           {"text/plain", "", valid, http.StatusUnsupportedMediaType},
		"other coding":         {protobufType, "br", valid, http.StatusUnsupportedMediaType},
		"no gzip":              {protobufType, "gzip", valid, http.StatusBadRequest},
		"too large":            {protobufType, "", strings.Repeat("x", maxBody+1), http.StatusRequestEntityTooLarge},
		"bomb":                 {protobufType, "gzip", bomb.String(), http.StatusRequestEntityTooLarge},
		"cut":                  {protobufType, "", valid[:len(valid)-1], http.StatusBadRequest},
		"no protobuf":          {protobufType, "", "<html>", http.StatusBadRequest},
		"no JSON":              {jsonType, "", "<html>", http.StatusBadRequest},
		"other JSON":           {jsonType, "", `{"resourceSpans":{"a":1}}`, http.StatusBadRequest},
		"deep JSON":            {jsonType, "", strings.Repeat(`{"resourceSpans":[`, 100_000), http.StatusBadRequest},
		"huge span":            {jsonType, "", jsonSpan(traceField + `"name":"` + strings.Repeat("x", maxSpan) + `"`), http.StatusBadRequest},
		"many objects":         {jsonType, "", jsonSpan(strings.Repeat("},{", maxObjects)), http.StatusBadRequest},
		"empty":                {protobufType, "", "", http.StatusOK},
		"a span without an ID": {jsonType, "", jsonSpan(`"traceId":"07","name":"x"`), http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			headers := map[string]string{"Content-Type": test.contentType, "Content-Encoding": test.coding}
			got := c.send(t, http.MethodPost, "/v1/traces", test.body, headers)
			if got.status != test.want {
				t.Errorf("status %d %s, want %d", got.status, got.body, test.want)
			}
		})
	}
	if list := get[map[string][]request](t, c, "/api/requests")["requests"]; len(list) > 1 {
		t.Errorf("%d requests of hostile bodies: %+v", len(list), list)
	}
}

// TestSpanIsBounded: what one span may occupy does not follow from the sender.
func TestSpanIsBounded(t *testing.T) {
	long := strings.Repeat("é", maxText)
	nested := keyValue("nested", "end").GetValue()
	for range 1000 {
		nested = &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{nested}}}}
	}
	decoded := &tracepb.Span{
		Name: long, StartTimeUnixNano: 1<<64 - 1, EndTimeUnixNano: 1, Status: &tracepb.Status{Code: 7, Message: long}, Kind: 99,
		Attributes: []*commonpb.KeyValue{nil, {Key: "nested", Value: nested}, keyValue(long, long)},
	}
	for i := range 1000 {
		decoded.Attributes = append(decoded.Attributes, keyValue(fmt.Sprint(i), i))
		decoded.Events = append(decoded.Events, &tracepb.Span_Event{Name: long, Attributes: decoded.Attributes[:1]})
	}
	s := newSpan("things", decoded)
	if len(s.Name) > maxName+4 || len(s.Message) > maxText+4 || len(s.Attributes) > maxAttributes || len(s.events) > maxEvents ||
		s.end != s.start {
		t.Errorf("span with %d, %d, %d, %d, from %d to %d", len(s.Name), len(s.Message), len(s.Attributes), len(s.events), s.start, s.end)
	}
	if s.Status != "unset" || s.Kind != "internal" {
		t.Errorf("status %s, kind %s", s.Status, s.Kind)
	}
	if s.size < maxText || s.size > 2*proto.Size(decoded) {
		t.Errorf("%d bytes", s.size)
	}
}

// TestCircle: a span may name any as its parent, also itself.
func TestCircle(t *testing.T) {
	c := start(t, Options{})
	for id, parent := range map[byte]byte{1: 2, 2: 1, 3: 3, 4: 9} {
		c.receiveAll(t, step{trace: 1, id: id, parent: parent})
	}
	if got := get[traceResponse](t, c, "/api/traces/"+strings.Repeat("01", 16)); len(got.Spans) != 4 {
		t.Errorf("%d spans, want 4", len(got.Spans))
	}
}

// FuzzReceiver: no body makes the store exceed its limits, or the API fail on what it holds.
func FuzzReceiver(f *testing.F) {
	f.Add(export(f, listOrders...), false)
	f.Add([]byte(jsonSpan(traceField+`"spanId":"eee19b7ec3c1b174","name":"x"`)), true)
	l := limits{spans: 8, bytes: 8 << 10, traceSpans: 4, perSecond: 1 << 30}
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		s := newStore(l)
		take := s.takeProto
		if isJSON {
			take = s.takeJSON
		}
		_ = take(body)
		if s.spans > l.spans || s.size > l.bytes {
			t.Errorf("%d spans with %d bytes", s.spans, s.size)
		}
		traces, _ := s.newest(0, l.spans, func(trace) bool { return true })
		_ = newRequests(traces)
		for _, found := range traces {
			for _, s := range inOrder(found.spans) {
				if _, err := json.Marshal(newSpanView(s, nil, 0)); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
