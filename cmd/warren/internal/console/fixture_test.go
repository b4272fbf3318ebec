package console_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

type (
	object = map[string]any
	array  = []any
)

// fixture serves the page, and the responses of testdata/api.json in place of the console's API.
type fixture struct {
	*httptest.Server

	events chan string // what the stream sends

	mu        sync.Mutex // guards all below
	responses map[string]json.RawMessage
	posted    map[string]object // the last body, by path
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{events: make(chan string), posted: map[string]object{}}
	text, err := os.ReadFile("testdata/api.json")
	if err == nil {
		err = json.Unmarshal(text, &f.responses)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.set(requestsPath, object{"requests": requests(0, 24)})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/events", f.stream)
	mux.HandleFunc("/api/", f.respond)
	mux.Handle("/", http.FileServerFS(os.DirFS("web")))
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	t.Cleanup(f.CloseClientConnections)
	return f
}

const (
	requestsPath = "/api/requests"
	mapPath      = "/api/map"
	queuesPath   = "/api/queues"
	deadPath     = "/api/dead"
	replayPath   = "/api/dead/replay"
	dropPath     = "/api/dead/drop"
	routesPath   = "/api/routes"
	tryPath      = "/api/try"
	tracePath    = "/api/traces/" + traceID
)

// set sets the response of a path. An object with the field "error" has status 500.
func (f *fixture) set(path string, response any) {
	text, _ := json.Marshal(response) // of texts and numbers
	f.mu.Lock()
	defer f.mu.Unlock()
	f.responses[path] = text
}

// replace replaces a part of the response of a path.
func (f *fixture) replace(path, old, replacement string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.responses[path] = json.RawMessage(strings.ReplaceAll(string(f.responses[path]), old, replacement))
}

// change changes each text in all responses.
func (f *fixture) change(change func(key, text string) string) {
	for path, text := range maps.Clone(f.responses) {
		var response any
		_ = json.Unmarshal(text, &response)
		f.set(path, changed("", response, change))
	}
}

func changed(key string, value any, change func(key, text string) string) any {
	switch value := value.(type) {
	case string:
		return change(key, value)
	case array:
		for i := range value {
			value[i] = changed(key, value[i], change)
		}
	case object:
		for k := range value {
			value[k] = changed(k, value[k], change)
		}
	}
	return value
}

func (f *fixture) lastPost(path string) object {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.posted[path]
}

func (f *fixture) respond(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodPost {
		var body object
		_ = json.NewDecoder(r.Body).Decode(&body)
		f.posted[r.URL.Path] = body
	}
	w.Header().Set("Content-Type", "application/json")
	response, ok := f.responses[r.URL.Path]
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		response = json.RawMessage(`{"error":"not found"}`)
	case strings.HasPrefix(string(response), `{"error":`):
		w.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = w.Write(response)
}

func (f *fixture) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	controller := http.NewResponseController(w)
	for controller.Flush() == nil {
		select {
		case text := <-f.events:
			_, _ = fmt.Fprint(w, text)
		case <-r.Context().Done():
			return
		}
	}
}

// send sends an event to the page.
func (f *fixture) send(name string, data any) {
	text, _ := json.Marshal(data) // of texts and numbers
	f.events <- fmt.Sprintf("event: %s\ndata: %s\n\n", name, text)
}

const (
	traceID       = "4bf92f3577b34da6a3ce929d0e0e4736" // of the first request
	correlationID = "0190a6d0-0000-4000-8000-00000000c0de"
)

var began = time.Date(2026, 5, 4, 12, 3, 4, 512e6, time.UTC)

// requests returns entries of the list of requests, newest first: those from the first to before the last.
func requests(first, last int) array {
	kinds := []struct {
		method, route, path string
		status              int
		service             string
		duration            float64
	}{
		{"GET", "/v1/parcels", "/v1/parcels", 200, "parcels", 3.42},
		{"POST", "/v1/parcels", "/v1/parcels", 201, "parcels", 8.91},
		{"GET", "/v1/parcels/:id", "/v1/parcels/0190a6d0-7c1e-7000-8000-00000000beef", 200, "parcels", 2.07},
		{"POST", "/v1/login", "/v1/login", 200, "access-control", 187.3},
		{"GET", "/v1/parcels/:id", "/v1/parcels/0190a6d0-0000-7000-8000-00000000dead", 404, "parcels", 1.9},
		{"POST", "/v1/parcels/:id/cancel", "/v1/parcels/0190a6d0-7c1e-7000-8000-00000000beef/cancel", 502, "parcels", 5002.6},
	}
	list := array{}
	for n := last - 1; n >= first; n-- {
		kind := kinds[n%len(kinds)]
		id := fmt.Sprintf("%032x", n+1)
		if n == 0 {
			id = traceID
		}
		services := array{"gateway", kind.service}
		if n%len(kinds) == 1 {
			services = array{"gateway", "access-control", kind.service} // the token was checked
		}
		list = append(list, object{
			"trace_id": id, "name": kind.method + " " + kind.route, "method": kind.method, "route": kind.route, "path": kind.path,
			"status": kind.status, "services": services, "spans": 4, "error": kind.status >= 500,
			"started": began.Add(time.Duration(n) * 731 * time.Millisecond).UnixMilli(), "duration_ms": kind.duration,
		})
	}
	return list
}
