package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/telemetry/telemetrytest"
	"example.com/warren/test/internal/system"
)

// TestFollowRequest follows one request by a search of all logs for its correlation ID, as docs/operations.md says. With traces on,
// the lines also have the same trace.
func TestFollowRequest(t *testing.T) {
	env := []string{"LOG_LEVEL=debug", "LOG_FORMAT=json", "LOG_FLUSH_INTERVAL=100ms", "GATEWAY_TOKEN_CACHE=0s"}
	for name, value := range telemetrytest.NewReceiver(t).Environment() {
		env = append(env, name+"="+value)
	}
	s := suite.StartSystem(t, env...)
	demo := s.API.Login(t, "demo")
	demo.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "") // the lines of another request must not be found
	id := demo.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "").Header.Get("X-Correlation-Id")

	// Each call is logged by both sides, and the request by the gateway.
	want := map[string][]string{
		"gateway":        {"rpc access-control.validateToken", "rpc orders.getAll", "request /v1/orders"},
		"access-control": {"rpc access-control.validateToken"},
		"orders":         {"rpc orders.getAll"},
	}
	traces := map[string]bool{}
	for service, lines := range want {
		awaittest.Until(t, "the lines of "+service, func() bool { return len(linesWith(s.Process(service), id)) >= len(lines) })
		var got []string
		for _, line := range linesWith(s.Process(service), id) {
			if n := strings.Count(line, `"correlation_id":"`+id+`"`); n != 1 {
				t.Errorf("%d correlation IDs in %s", n, line)
			}
			var entry struct {
				Service, Msg, Queue, Route string
				Trace                      string `json:"trace_id"`
				Span                       string `json:"span_id"`
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Errorf("line %s: %v", line, err)
			}
			if entry.Service != service || entry.Trace == "" || entry.Span == "" {
				t.Errorf("service, trace or span is wrong in %s", line)
			}
			traces[entry.Trace] = true
			got = append(got, entry.Msg+" "+entry.Queue+entry.Route)
		}
		if diff := cmp.Diff(lines, got); diff != "" {
			t.Errorf("lines of %s (-want +got):\n%s", service, diff)
		}
	}
	if len(traces) != 1 {
		t.Errorf("traces %v, want one", traces)
	}
}

// linesWith returns the whole lines of a process's output that contain text.
func linesWith(p *system.Process, text string) []string {
	var found []string
	for line := range strings.Lines(p.Output()) {
		if strings.Contains(line, text) && strings.HasSuffix(line, "\n") {
			found = append(found, line)
		}
	}
	return found
}
