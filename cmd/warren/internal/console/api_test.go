package console

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"example.com/warren/services/gateway"
)

type requestsResponse struct {
	Requests []request `json:"requests"`
}

// served is a request of a gateway.
func served(n byte, route string, status int, took time.Duration, failed string) step {
	return step{
		trace: n, id: 1, service: "gateway", name: "GET " + route, kind: tracepb.Span_SPAN_KIND_SERVER, failed: failed,
		start: time.Duration(n) * time.Second, end: time.Duration(n)*time.Second + took,
		attributes: map[string]any{httpMethodKey: "GET", httpRouteKey: route, httpStatusKey: status, pathKey: route},
	}
}

func TestRequests(t *testing.T) {
	c := start(t, Options{})
	c.receiveAll(t, listOrders...)
	c.receiveAll(t, served(3, "/v1/b", 502, time.Second, "no reply"), served(2, "/v1/a", 404, time.Millisecond, ""))
	for query, want := range map[string]string{
		"":                      "3 2 1",
		"?route=/v1/a":          "2",
		"?route=/v1/things/:id": "1",
		"?status=4xx":           "2",
		"?status=5xx":           "3",
		"?status=2xx":           "1",
		"?status=error":         "3",
		"?service=things":       "1",
		"?service=gateway":      "3 2 1",
		"?min_ms=5":             "3 1",
		"?min_ms=5&status=2xx":  "1",
		"?service=none":         "",
	} {
		var got []string
		for _, r := range get[requestsResponse](t, c, "/api/requests"+query).Requests {
			got = append(got, r.TraceID[1:2])
		}
		if slices.Sort(got); strings.Join(got, " ") != sorted(want) {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	list := get[requestsResponse](t, c, "/api/requests").Requests
	want := request{
		TraceID: strings.Repeat("01", 16), Name: "GET /v1/things/:id", Method: "GET", Route: "/v1/things/:id", Path: "/v1/things/7", Status: 200,
		Services: []string{"gateway", "things"}, Started: float64(epoch.UnixMilli()), Duration: 12, Spans: 4,
	}
	if diff := cmp.Diff(want, list[2]); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if got := c.send(t, http.MethodGet, "/api/requests?min_ms=x", "", nil); got.status != http.StatusBadRequest {
		t.Errorf("status %d, want 400", got.status)
	}
}

// TestRequestOfManyServices: services are in the order in which they were called, and a client's error is not a failure.
func TestRequestOfManyServices(t *testing.T) {
	call := func(service string, status int) *span {
		return &span{Service: service, Parent: "1", Status: "error", Attributes: map[string]any{rpcStatusKey: fmt.Sprint(status)}}
	}
	root := func(status int64) *span {
		return &span{Service: "web", ID: "1", Attributes: map[string]any{httpStatusKey: status}}
	}
	for name, test := range map[string]struct {
		spans []*span
		want  bool
	}{
		"refused":                    {[]*span{call("b", 404), root(404)}, false},
		"refused after a fault":      {[]*span{call("b", 500), root(409)}, false},
		"failed":                     {[]*span{call("b", 500), root(502)}, true},
		"recovered":                  {[]*span{call("b", 503), root(200)}, true},
		"recovered from a refusal":   {[]*span{call("b", 404), root(200)}, false},
		"failed for another service": {[]*span{call("b", 400), call("a", 500), root(502)}, true},
	} {
		if got := newRequest(trace{spans: test.spans}).Error; got != test.want {
			t.Errorf("%s: error %t, want %t", name, got, test.want)
		}
	}
	later := call("a", 200)
	later.start = 1
	got := newRequest(trace{spans: []*span{later, call("b", 200), root(200)}}).Services
	if diff := cmp.Diff([]string{"web", "b", "a"}, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}

func sorted(words string) string {
	list := strings.Fields(words)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// TestHTML sends markup in every field and expects the API to escape it.
func TestHTML(t *testing.T) {
	c := start(t, Options{})
	const html = "<script>alert(1)</script>&"
	s := served(1, html, 502, 0, html)
	s.service, s.name, s.attributes[html] = html, html, html
	c.receiveAll(t, s)
	for _, path := range []string{"/api/requests", "/api/traces/" + strings.Repeat("01", 16), "/api/" + html} {
		got := c.send(t, http.MethodGet, path, "", nil)
		if strings.ContainsAny(got.body, "<>&") || got.header.Get("Content-Type") != jsonType {
			t.Errorf("%s: %s, %s", path, got.header.Get("Content-Type"), got.body)
		}
	}
}

func TestInfo(t *testing.T) {
	c := start(t, Options{Version: "v1", Gateway: "http://127.0.0.1:1", User: &User{"demo", "secret"}})
	c.receiveAll(t, listOrders...)
	got := c.send(t, http.MethodGet, "/api/info", "", nil).body
	const want = `{"broker":"inmem","gateway":"http://127.0.0.1:1","user":"demo","version":"v1"}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRouteTable(t *testing.T) {
	c := start(t, Options{})
	list := get[struct{ Routes []route }](t, c, "/api/routes").Routes
	table := gateway.Routes()
	if len(list) != len(table) {
		t.Fatalf("%d routes, want %d", len(list), len(table))
	}
	for i, r := range list {
		want := table[i]
		if r.Method != want.Method || r.Path != want.Path || r.Queue != want.Queue || r.Public != want.Public || r.Scope != want.Scope ||
			len(r.Params) != strings.Count(r.Path, ":") {
			t.Errorf("route %+v, want %+v", r, want)
		}
	}
	for path, want := range map[string]bool{"/v1/a/7/b": true, "/v1/a/7": false, "/v1/a/7/c": false, "/v1/a/7/b/c": false} {
		if matchesRoute(path, "/v1/a/:id/b") != want {
			t.Errorf("%s matches: want %t", path, want)
		}
	}
}

func TestPage(t *testing.T) {
	c := start(t, Options{})
	got := c.send(t, http.MethodGet, "/", "", nil)
	if got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %s", got.status, got.header.Get("Content-Type"))
	}
}

// stream reads server-sent events.
type stream struct{ lines *bufio.Scanner }

func (c *Console) subscribe(ctx context.Context, t testing.TB) (stream, int) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL()+"/api/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return stream{bufio.NewScanner(response.Body)}, response.StatusCode
}

// next returns the data of the next event of that name.
func (s stream) next(t testing.TB, name string) string {
	t.Helper()
	found := false
	for s.lines.Scan() {
		if data, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok && found {
			return data
		}
		found = s.lines.Text() == "event: "+name
	}
	t.Fatalf("no event %s: %v", name, s.lines.Err())
	return ""
}

func TestEvents(t *testing.T) {
	c := start(t, Options{})
	s, _ := c.subscribe(contextOf(t), t)
	s.next(t, "stats")
	c.receiveAll(t, listOrders...)
	var list []request
	if err := json.Unmarshal([]byte(s.next(t, "request")), &list); err != nil || len(list) != 1 || list[0].Spans != 4 {
		t.Errorf("requests %+v, error %v", list, err)
	}
	var stats map[string]float64
	err := json.Unmarshal([]byte(s.next(t, "stats")), &stats)
	if err != nil || fmt.Sprint(stats) != "map[kept_share:1 per_second:1 spans:4 traces:1]" {
		t.Errorf("stats %v, error %v", stats, err)
	}
	var many []step
	for n := byte(10); n < 10+2*maxEventBatch; n++ {
		many = append(many, served(n, "/v1/a", 200, 0, ""))
	}
	c.receiveAll(t, many...)
	for last := ""; !strings.HasPrefix(last, strings.Repeat("6d", 16)); last = list[0].TraceID { // 109, the newest
		if err := json.Unmarshal([]byte(s.next(t, "request")), &list); err != nil || len(list) > maxEventBatch {
			t.Fatalf("%d requests, error %v", len(list), err)
		}
	}
}

// TestEventsAreLimited: a page that is open in many tabs does not occupy the console, and a closed one frees its place.
func TestEventsAreLimited(t *testing.T) {
	c := start(t, Options{})
	ctx, cancel := context.WithCancel(contextOf(t))
	defer cancel()
	for range maxStreams {
		s, _ := c.subscribe(ctx, t)
		s.next(t, "stats")
	}
	if _, status := c.subscribe(ctx, t); status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", status)
	}
	cancel()
	for range maxStreams {
		c.streams <- struct{}{} // waits until all have ended
	}
}
