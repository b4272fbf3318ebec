package protocol

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

const testTraceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestTraceRoundTrip(t *testing.T) {
	const unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	later := testNow.Add(7 * time.Millisecond)
	tests := map[string]struct {
		sent, want http.Header
		sentAt     time.Time
	}{
		"none":      {http.Header{"Accept": {"a"}}, http.Header{"Accept": {"a"}}, time.Time{}},
		"sampled":   {http.Header{"Traceparent": {testTraceparent}}, http.Header{"Traceparent": {testTraceparent}}, later},
		"unsampled": {http.Header{"Traceparent": {unsampled}}, http.Header{"Traceparent": {unsampled}}, time.Time{}},
		"state": {
			http.Header{"Traceparent": {testTraceparent}, "Tracestate": {"a=1", "b=2"}, "Accept": {"a"}},
			http.Header{"Traceparent": {testTraceparent}, "Tracestate": {"a=1,b=2"}, "Accept": {"a"}}, later,
		},
		"state of no trace": {http.Header{"Tracestate": {"a=1"}, "Accept": {"a"}}, http.Header{"Accept": {"a"}}, time.Time{}},
		"two traces": {
			http.Header{"Traceparent": {testTraceparent, unsampled}, "Accept": {"a"}}, http.Header{"Accept": {"a"}}, time.Time{},
		},
		"of no form": {http.Header{"Traceparent": {"1"}}, http.Header{"Traceparent": {"1"}}, time.Time{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := driver.Normalize(Encoder{}.Request(&Request{ID: testID, Header: test.sent}, testSecret, later))
			got, err := DecodeRequest("orders.get", m)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Header); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if sentAt := SentAt(m); !sentAt.Equal(test.sentAt) {
				t.Errorf("sent at %s, want %s", sentAt, test.sentAt)
			}
		})
	}
}

// A trace in the headers of the message takes precedence: it is newer than one that an HTTP client sent.
func TestDecodeTrace(t *testing.T) {
	const inRequest = "header.Traceparent=old&header.Tracestate=old%3D1"
	tests := map[string]struct {
		headers map[string]any
		want    http.Header
	}{
		"of an older caller": {
			map[string]any{"rpc-request": inRequest}, http.Header{"Traceparent": {"old"}, "Tracestate": {"old=1"}},
		},
		"two of an older caller": {map[string]any{"rpc-request": "header.Traceparent=1&header.Traceparent=2&header.Tracestate=a"}, nil},
		"states of an older caller": {
			map[string]any{"rpc-request": "header.Traceparent=1&header.Tracestate=a&header.Tracestate=b"},
			http.Header{"Traceparent": {"1"}, "Tracestate": {"a,b"}},
		},
		"both": {
			map[string]any{"rpc-request": inRequest, "traceparent": testTraceparent}, http.Header{"Traceparent": {testTraceparent}},
		},
		"of a plain caller": {
			map[string]any{"traceparent": testTraceparent, "tracestate": "a=1"},
			http.Header{"Traceparent": {testTraceparent}, "Tracestate": {"a=1"}},
		},
		"of another type": {map[string]any{"traceparent": 1, "tracestate": "a=1", "timestamp_in_ms": "1"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := messaging.Message{Headers: test.headers}
			got, err := DecodeRequest("orders.get", m)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Header, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if sentAt := SentAt(m); !sentAt.IsZero() {
				t.Errorf("sent at %s, want no time", sentAt)
			}
		})
	}
}
