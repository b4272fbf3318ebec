package demo

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/warren/pkg/awaittest"
)

// getJSON reads a response of the console.
func getJSON(t *testing.T, url string, value any) {
	t.Helper()
	request, err := http.NewRequestWithContext(awaittest.Context(t), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(value); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: status %d, error %v", url, response.StatusCode, err)
	}
}

func consoleURL(t *testing.T, guide string) string {
	t.Helper()
	_, url, _ := strings.Cut(lineWith(t, guide, "Open the console"), ": ")
	return url
}

// tryConsole awaits what the demo's first login leaves: a trace of two services, with queues that have consumers.
func tryConsole(t *testing.T, guide, broker string) {
	t.Helper()
	url := consoleURL(t, guide)
	var info struct{ Broker, Gateway string }
	getJSON(t, url+"/api/info", &info)
	if info.Broker != broker || !strings.Contains(guide, " is up at "+info.Gateway+"\n") {
		t.Errorf("info %+v", info)
	}
	id := ""
	awaittest.Until(t, "a trace of gateway and access-control", func() bool {
		var list struct {
			Requests []struct {
				Name     string
				TraceID  string `json:"trace_id"`
				Services []string
			}
		}
		getJSON(t, url+"/api/requests?route=/v1/login", &list)
		for _, r := range list.Requests {
			if r.Name == "POST /v1/login" && slices.Equal(r.Services, []string{"gateway", "access-control"}) {
				id = r.TraceID
			}
		}
		return id != ""
	})
	awaittest.Until(t, "the time in the queue, and a log line", func() bool {
		var trace struct {
			Spans []struct {
				Queue *float64 `json:"queue_ms"`
			}
			Logs []struct{ Service string }
		}
		getJSON(t, url+"/api/traces/"+id, &trace)
		waited := slices.ContainsFunc(trace.Spans, func(s struct {
			Queue *float64 `json:"queue_ms"`
		}) bool {
			return s.Queue != nil
		})
		return waited && len(trace.Logs) > 0 && trace.Logs[0].Service == "gateway"
	})
	awaittest.Until(t, "all services to be up", func() bool {
		var seen struct{ Services []struct{ Up *bool } }
		getJSON(t, url+"/api/map", &seen)
		return !slices.ContainsFunc(seen.Services, func(s struct{ Up *bool }) bool { return s.Up == nil || !*s.Up })
	})
}

func TestConsole(t *testing.T) {
	for _, variable := range leftOver {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := start(ctx, Command{Broker: "inmem", Addr: "127.0.0.1:0", Console: "127.0.0.1:0"})
	tryConsole(t, r.out.await(t, "All services run in this process", r.ended), "inmem")
	cancel()
	if err := r.await(t); err != nil {
		t.Error(err)
	}
	if got := os.Getenv("OTEL_TRACES_SAMPLER") + os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); got != "always_off" {
		t.Errorf("the demo leaves %q in the environment", got)
	}
}

func TestConsoleAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := start(ctx, Command{Broker: "inmem", Addr: "127.0.0.1:0", Console: taken})
	guide := r.out.await(t, "All services run in this process", r.ended)
	if url := consoleURL(t, guide); url == "http://"+taken || !strings.Contains(guide, taken+": the console has another port") {
		t.Errorf("console at %s, guide:\n%s", url, guide)
	}
	cancel()
	if err := r.await(t); err != nil {
		t.Error(err)
	}
	for _, addr := range []string{"0.0.0.0:0", "nonsense"} {
		err := start(t.Context(), Command{Broker: "inmem", Addr: "127.0.0.1:0", Console: addr}).await(t)
		if err == nil || !strings.Contains(err.Error(), "--console") {
			t.Errorf("console at %s: error %v, want one that names --console", addr, err)
		}
	}
}
