package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/telemetry"
	"example.com/warren/services/gateway"
)

// apiError is an error with the status of its response.
type apiError struct {
	status int
	text   string
}

func (e apiError) Error() string { return e.text }

func fail(status int, format string, args ...any) error {
	return apiError{status, fmt.Sprintf(format, args...)}
}

// answer makes a handler of f, whose result is sent as JSON.
func answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		result, err := f(r)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, result)
	}
}

func writeError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if e, ok := errors.AsType[apiError](err); ok {
		status = e.status
	}
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":"encode the response"}`)
	}
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_, _ = w.Write(text) // an error means that the client has gone
}

func notFound(r *http.Request) (any, error) {
	return nil, fail(http.StatusNotFound, "there is no %s %s", r.Method, r.URL.Path)
}

func (c *Console) info(*http.Request) (any, error) {
	user := "" // none
	if c.options.User != nil {
		user = c.options.User.Username
	}
	return map[string]string{
		"version": c.options.Version, "broker": c.options.Broker.Kind, "gateway": c.options.Gateway, "user": user,
	}, nil
}

// request is a trace in the list of requests.
type request struct {
	TraceID  string   `json:"trace_id"`
	Name     string   `json:"name"`
	Method   string   `json:"method"`
	Route    string   `json:"route"`
	Path     string   `json:"path"`
	Status   int      `json:"status"`   // of HTTP; 0: unknown
	Services []string `json:"services"` // in the order of their first spans
	Started  float64  `json:"started"`
	Duration float64  `json:"duration_ms"`
	Spans    int      `json:"spans"`
	Error    bool     `json:"error"` // it failed, and not for the client's fault
}

// newRequest describes a trace by its first step: the span without a parent, or the earliest one whose parent is missing.
func newRequest(t trace) request {
	spans := slices.SortedFunc(slices.Values(t.spans), func(a, b *span) int {
		if (a.Parent == "") != (b.Parent == "") {
			return cmp.Compare(len(a.Parent), len(b.Parent))
		}
		return cmp.Compare(a.start, b.start)
	})
	root := spans[0]
	out := request{
		TraceID:  t.id,
		Name:     root.Name,
		Method:   root.text(telemetry.HTTPRequestMethod),
		Route:    root.text(telemetry.HTTPRoute),
		Path:     root.text(telemetry.URLPath),
		Status:   root.status(),
		Started:  milliseconds(root.start),
		Duration: root.duration(),
		Spans:    len(spans),
	}
	for _, s := range spans {
		if !slices.Contains(out.Services, s.Service) {
			out.Services = append(out.Services, s.Service)
		}
		out.Error = out.Error || s.failed() && !root.isRefusal()
	}
	return out
}

// maxRequests is how many rows the page shows.
const maxRequests = 200

// requests lists traces, those that began last first.
func (c *Console) requests(r *http.Request) (any, error) {
	matches, err := parseFilter(r.URL.Query())
	if err != nil {
		return nil, err
	}
	list, _ := c.store.newest(0, maxRequests, func(t trace) bool { return matches(newRequest(t)) })
	return map[string]any{"requests": newRequests(list)}, nil
}

func newRequests(traces []trace) []request {
	out := make([]request, len(traces))
	for i, t := range traces {
		out[i] = newRequest(t)
	}
	slices.SortStableFunc(out, func(a, b request) int { return cmp.Compare(b.Started, a.Started) })
	return out
}

func parseFilter(query url.Values) (matches func(request) bool, err error) {
	route, status, service := strings.ToLower(query.Get("route")), query.Get("status"), query.Get("service")
	least := 0.0
	if text := query.Get("min_ms"); text != "" {
		if least, err = strconv.ParseFloat(text, 64); err != nil {
			return nil, fail(http.StatusBadRequest, "min_ms is not a number")
		}
	}
	return func(r request) bool {
		return strings.Contains(strings.ToLower(r.Name+" "+r.Path), route) && (service == "" || slices.Contains(r.Services, service)) &&
			r.Duration >= least &&
			(status == "" || status == "error" && r.Error || status == fmt.Sprintf("%dxx", r.Status/100))
	}, nil
}

type (
	spanView struct {
		span
		Offset   float64     `json:"offset_ms"`
		Duration float64     `json:"duration_ms"`
		Queue    *float64    `json:"queue_ms"`
		Events   []eventView `json:"events"`
	}
	eventView struct {
		event
		Offset float64 `json:"offset_ms"`
	}
)

// trace shows the spans of a trace, each after its parent.
func (c *Console) trace(r *http.Request) (any, error) {
	id := strings.ToLower(r.PathValue("id"))
	t, ok := c.store.find(id)
	if !ok {
		return nil, fail(http.StatusNotFound, "the trace is unknown, or it was dropped for newer ones")
	}
	began, ended := t.spans[0].start, t.spans[0].end
	for _, s := range t.spans {
		began, ended = min(began, s.start), max(ended, s.end)
	}
	views, callers := []spanView{}, map[string]*span{}
	for _, s := range inOrder(t.spans) {
		callers[s.ID] = s
		views = append(views, newSpanView(s, callers[s.Parent], began))
	}
	return map[string]any{
		"trace_id":    id,
		"started":     milliseconds(began),
		"duration_ms": milliseconds(ended - began),
		"spans":       views,
		"logs":        c.logs.of(id),
	}, nil
}

// inOrder returns spans by time, but each after its parent. Clocks of machines differ, and a span may name any as its parent.
func inOrder(spans []*span) []*span {
	spans = slices.SortedStableFunc(slices.Values(spans), func(a, b *span) int { return cmp.Compare(a.start, b.start) })
	children, waiting := map[string][]*span{}, map[string]bool{}
	for _, s := range spans {
		children[s.Parent] = append(children[s.Parent], s)
		waiting[s.ID] = true
	}
	var out []*span
	var visit func([]*span)
	visit = func(list []*span) {
		for _, s := range list {
			if waiting[s.ID] {
				delete(waiting, s.ID)
				out = append(out, s)
				visit(children[s.ID])
			}
		}
	}
	for _, s := range spans {
		if !waiting[s.Parent] {
			visit([]*span{s})
		}
	}
	visit(spans) // what is left is in a circle
	return out
}

// newSpanView describes a span whose parent is caller, or nil if that is missing.
func newSpanView(s, caller *span, began int64) spanView {
	view := spanView{span: *s, Offset: milliseconds(s.start - began), Duration: s.duration(), Events: []eventView{}}
	if wait, ok := s.number(telemetry.QueueWait); ok {
		if caller != nil { // the message has its time in milliseconds, cut
			wait = max(0, min(wait, milliseconds(s.start-caller.start)))
		}
		view.Queue = &wait
	}
	for _, e := range s.events {
		view.Events = append(view.Events, eventView{e, milliseconds(e.time - began)})
	}
	return view
}

func (c *Console) correlation(r *http.Request) (any, error) {
	id, ok := c.store.correlated(r.PathValue("id"))
	if !ok {
		return nil, fail(http.StatusNotFound, "no trace has this correlation ID")
	}
	return map[string]string{"trace_id": id}, nil
}

// route is a route of the gateway, with an example if its service has one.
type route struct {
	Method      string   `json:"method"`
	Path        string   `json:"path"`
	Queue       string   `json:"queue"`
	Public      bool     `json:"public"`
	Scope       string   `json:"scope"`
	Params      []string `json:"params"`
	ExampleBody *string  `json:"example_body"`
}

// prefix is what the paths of examples leave out.
const prefix = "/v1"

func (c *Console) routeTable(*http.Request) (any, error) {
	list := []route{}
	for _, r := range gateway.Routes() {
		added := route{Method: r.Method, Path: r.Path, Queue: r.Queue, Public: r.Public, Scope: r.Scope, Params: []string{}}
		for part := range strings.SplitSeq(r.Path, "/") {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				added.Params = append(added.Params, name)
			}
		}
		added.addExample()
		list = append(list, added)
	}
	return map[string]any{"routes": list}, nil
}

// addExample adds the first example that succeeds.
func (r *route) addExample() {
	for _, s := range services.All() {
		for _, e := range s.Examples {
			path, _, _ := strings.Cut(e.Path, "?")
			if e.Method != r.Method || e.Status >= http.StatusBadRequest || !matchesRoute(prefix+path, r.Path) {
				continue
			}
			if e.Body != "" {
				r.ExampleBody = &e.Body
			}
			return
		}
	}
}

func matchesRoute(path, pattern string) bool {
	return slices.EqualFunc(strings.Split(path, "/"), strings.Split(pattern, "/"), func(part, want string) bool {
		return part == want || strings.HasPrefix(want, ":")
	})
}
