package http

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"example.com/warren/pkg/rpc"
)

func TestRequestMapping(t *testing.T) {
	f := newFixture(t, options())
	r := newRequest(http.MethodPost, "/v1/things/a%2Fb%20c/cancel?x=1&x=2&y=", `{"reason":"late"}`)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Idempotency-Key", "key")
	r.Header["Accept"] = []string{"a", "b"}
	before := time.Now()
	w := f.do(r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	got := f.caller.last
	want := &rpc.Request{
		Queue:         "things.cancel",
		CorrelationID: got.ID,

		Method:      "POST",
		Path:        "/v1/things/a/b c/cancel",
		Route:       "/v1/things/:id/cancel",
		Params:      map[string]string{"id": "a/b c"},
		Query:       url.Values{"x": {"1", "2"}, "y": {""}},
		Header:      http.Header{"Idempotency-Key": {"key"}, "Accept": {"a", "b"}, "X-Forwarded-For": {"192.0.2.1"}},
		Identity:    &rpc.Identity{Subject: "42", Username: "demo", Scopes: user.Scopes, TokenID: "jti", ExpiresAt: user.ExpiresAt},
		ContentType: "application/json; charset=utf-8",
		Body:        []byte(`{"reason":"late"}`),
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(rpc.Request{}, "ID", "Deadline")); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if id, err := uuid.Parse(got.ID); err != nil || id.Version() != 4 || got.ID != w.Header().Get("X-Correlation-Id") {
		t.Errorf("id %q, X-Correlation-Id %q: want the same UUID v4", got.ID, w.Header().Get("X-Correlation-Id"))
	}
	if limit := got.Deadline.Sub(before); limit < time.Second || limit > 2*time.Second {
		t.Errorf("deadline in %s, want about a second", limit)
	}
	if check := f.authenticator.deadline.Sub(before); check < time.Second || check > 2*time.Second {
		t.Errorf("the token check has %s, want the call's limit", check)
	}
}

// TestIdempotent: the method or the route says whether a call may be sent twice, and nothing that a client sends.
func TestIdempotent(t *testing.T) {
	for target, want := range map[string]bool{
		"GET /v1/any": true, "HEAD /v1/any": true, "PUT /v1/any": true, "DELETE /v1/any": true,
		"POST /v1/any": false, "PATCH /v1/any": false, "POST /v1/safe": true, "PATCH /v1/safe": true,
	} {
		for _, header := range []http.Header{
			{}, {"Idempotency-Key": {"k"}}, {"X-Idempotency-Key": {"k"}}, {"X-Http-Method-Override": {"GET"}},
			{"Idempotency-Key": {"k"}, "Connection": {"idempotency-key"}}, {"Idempotent": {"true"}},
		} {
			f := newFixtureOf(t, options(), func(api *table) {
				v1 := api.group("/v1")
				for _, add := range []func(string, ...option){v1.GET, v1.PUT, v1.DELETE, v1.POST, v1.PATCH} {
					add("/any", proxy("any.queue"), public)
				}
				v1.POST("/safe", proxy("any.queue"), public, idempotent)
				v1.PATCH("/safe", proxy("any.queue"), idempotent, public)
			})
			method, path, _ := strings.Cut(target, " ")
			r := newRequest(method, path+"?idempotent=true", "")
			maps.Copy(r.Header, header)
			f.do(r)
			if got := f.caller.last.Idempotent; got != want {
				t.Errorf("%s with %v: idempotent: %t, want %t", target, header, got, want)
			}
		}
	}
}

func TestRouteLimit(t *testing.T) {
	f := newFixture(t, options())
	before := time.Now()
	f.do(newRequest(http.MethodPost, "/v1/login", "{}"))
	if limit := f.caller.last.Deadline.Sub(before); limit < 10*time.Second {
		t.Errorf("deadline in %s, want the route's 10 s", limit)
	}
	if f.caller.last.Identity != nil {
		t.Errorf("identity %+v on a public route", f.caller.last.Identity)
	}
}

func TestHeldBackHeaders(t *testing.T) {
	in := http.Header{
		"Accept":              {"x"},
		"Authorization":       {"Bearer secret"},
		"Cookie":              {"session=secret"},
		"Connection":          {"close, X-Named", "x-also-named"},
		"X-Named":             {"x"},
		"X-Also-Named":        {"x"},
		"Proxy-Authorization": {"x"},
		"Proxy-Anything":      {"x"},
		"Te":                  {"x"},
		"Transfer-Encoding":   {"x"},
		"Upgrade":             {"x"},
		"Content-Type":        {"x"},
		"Content-Length":      {"1"},
		"X-Forwarded-For":     {"10.0.0.1"},
		"X-Forwarded-Host":    {"evil.example.com"},
		"True-Client-Ip":      {"10.0.0.1"},
		"Forwarded":           {"for=10.0.0.1"},
		"Rpc-Identity":        {"plain data"},
	}
	tests := map[string]struct {
		asked map[string]bool
		want  http.Header
	}{
		"by default": {nil, http.Header{
			"Accept": {"x"}, "Rpc-Identity": {"plain data"}, "X-Forwarded-For": {"192.0.2.7"},
		}},
		"asked for": {canonicalSet("cookie", "authorization", "transfer-encoding"), http.Header{
			"Accept": {"x"}, "Rpc-Identity": {"plain data"}, "X-Forwarded-For": {"192.0.2.7"},
			"Authorization": {"Bearer secret"}, "Cookie": {"session=secret"},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, forwardable(in, test.asked, "192.0.2.7")); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForwardingRoute(t *testing.T) {
	f := newFixtureOf(t, options(), func(api *table) {
		api.group("/v1").GET("/any", proxy("any.queue"), public, forwarding("Cookie"))
	})
	r := newRequest(http.MethodGet, "/v1/any", "")
	r.Header.Set("Cookie", "a=b")
	f.do(r)
	if got := f.caller.last.Header; got.Get("Cookie") != "a=b" || got.Get("Authorization") != "" {
		t.Errorf("headers %v, want the cookie and no token", got)
	}
}

func TestReplyMapping(t *testing.T) {
	tests := map[string]struct {
		reply      rpc.Reply
		wantHeader map[string]string // "": absent
		wantBody   string
	}{
		"json with headers": {
			reply: rpc.Reply{
				Status: 201, ContentType: "application/json", Body: []byte(`{"id":1}`),
				Header: http.Header{"Location": {"/v1/things/1"}, "Connection": {"X-Hop"}, "X-Hop": {"x"}, "Content-Length": {"999"},
					"Transfer-Encoding": {"x"}, "X-Correlation-Id": {"forged"}, "content-type": {"text/html"},
					"Access-Control-Allow-Origin": {"*"}, "Trailer:X-Trailer": {"x"}},
			},
			wantHeader: map[string]string{
				"Location": "/v1/things/1", "X-Hop": "", "Content-Length": "8", "Transfer-Encoding": "",
				"Access-Control-Allow-Origin": "", "Trailer:X-Trailer": "",
				"Content-Type": "application/json", "X-Content-Type-Options": "nosniff",
			},
			wantBody: `{"id":1}`,
		},
		"a plain replier's text": {
			reply:      rpc.Reply{Status: 200, ContentType: "text/plain", Body: []byte("hi")},
			wantHeader: map[string]string{"Content-Type": "text/plain"},
			wantBody:   "hi",
		},
		"no content type is not guessed": {
			reply:      rpc.Reply{Status: 200, Body: []byte("<html>")},
			wantHeader: map[string]string{"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff"},
			wantBody:   "<html>",
		},
		"an error without a body": {
			reply:      rpc.Reply{Status: 404},
			wantHeader: map[string]string{"Content-Type": "application/problem+json"},
			wantBody:   "404",
		},
		"no content": {
			reply:      rpc.Reply{Status: 204, ContentType: "application/json", Body: []byte("ignored")},
			wantHeader: map[string]string{"Content-Type": "", "Content-Length": ""},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, options())
			f.caller.f = func(context.Context, *rpc.Request) (*rpc.Reply, error) { return &test.reply, nil }
			w := f.do(newRequest(http.MethodGet, "/v1/things", ""))
			if w.Code != test.reply.Status || !strings.Contains(w.Body.String(), test.wantBody) || test.wantBody == "" && w.Body.Len() > 0 {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
			for header, want := range test.wantHeader {
				if got := w.Header().Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			if w.Header().Get("X-Correlation-Id") == "forged" {
				t.Error("a service set the correlation id")
			}
		})
	}
}

// TestDefaultHeaders are in every response: none is stored by caches unless its service allows it, none is sniffed.
func TestDefaultHeaders(t *testing.T) {
	replies := map[string]struct {
		request *http.Request
		reply   rpc.Reply
		want    string // Cache-Control
	}{
		"a reply":              {newRequest("GET", "/v1/things", ""), rpc.Reply{Status: 200, Body: []byte("{}")}, "no-store"},
		"a reply without body": {newRequest("POST", "/v1/things", "{}"), rpc.Reply{Status: 204}, "no-store"},
		"not modified":         {newRequest("GET", "/v1/things", ""), rpc.Reply{Status: 304}, "no-store"},
		"a service's error":    {newRequest("GET", "/v1/things", ""), rpc.Reply{Status: 404}, "no-store"},
		"the service says so": {newRequest("GET", "/v1/things", ""), rpc.Reply{
			Status: 200, Header: http.Header{"cache-control": {"private, max-age=60"}, "X-Content-Type-Options": {"sniff"}},
		}, "private, max-age=60"},
		"malformed": {newRequest("GET", "/v1/things", ""), rpc.Reply{
			Status: 200, Header: http.Header{"Cache-Control": {"a\r\n"}},
		}, "no-store"},
		"a refusal":          {httptest.NewRequest(http.MethodGet, "/v1/things", nil), rpc.Reply{}, "no-store"},
		"no such route":      {newRequest("GET", "/nowhere", ""), rpc.Reply{}, "no-store"},
		"no such method":     {newRequest("PUT", "/v1/things", ""), rpc.Reply{}, "no-store"},
		"options":            {newRequest("OPTIONS", "/v1/things", ""), rpc.Reply{}, "no-store"},
		"options of the API": {newRequest("OPTIONS", "*", ""), rpc.Reply{}, "no-store"},
	}
	for name, test := range replies {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, options())
			f.caller.f = func(context.Context, *rpc.Request) (*rpc.Reply, error) { return &test.reply, nil }
			w := f.do(test.request)
			if got := w.Header()["Cache-Control"]; !slices.Equal(got, []string{test.want}) {
				t.Errorf("Cache-Control %q, want %q", got, test.want)
			}
			if got := w.Header()["X-Content-Type-Options"]; !slices.Equal(got, []string{"nosniff"}) {
				t.Errorf("X-Content-Type-Options %q", got)
			}
		})
	}
}

// TestAllow names HEAD where GET is served.
func TestAllow(t *testing.T) {
	for target, want := range map[string]string{
		"PUT /v1/things": "OPTIONS, GET, HEAD, POST", "OPTIONS /v1/things": "OPTIONS, GET, HEAD, POST",
		"POST /v1/things/7": "OPTIONS, GET, HEAD", "HEAD /v1/login": "OPTIONS, POST",
	} {
		method, path, _ := strings.Cut(target, " ")
		w := newFixture(t, options()).do(newRequest(method, path, ""))
		if got := w.Header().Get("Allow"); got != want {
			t.Errorf("%s: status %d, Allow %q, want %q", target, w.Code, got, want)
		}
	}
}

func TestCORS(t *testing.T) {
	preflight := func() *http.Request {
		r := newRequest(http.MethodOptions, "/v1/things", "")
		r.Header.Set("Origin", "https://app.example.com")
		r.Header.Set("Access-Control-Request-Method", "POST")
		return r
	}
	if w := newFixture(t, options()).do(preflight()); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("CORS is on by default")
	}
	o := options()
	o.CORSOrigins = []string{"https://app.example.com"}
	w := newFixture(t, o).do(preflight())
	if got := w.Header().Get("Access-Control-Allow-Origin"); got != "https://app.example.com" {
		t.Errorf("Access-Control-Allow-Origin %q for an allowed origin", got)
	}
	r := preflight()
	r.Header.Set("Origin", "https://evil.example.com")
	if w := newFixture(t, o).do(r); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("allowed %q", w.Header().Get("Access-Control-Allow-Origin"))
	}
}
