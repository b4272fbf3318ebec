package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
	"example.com/warren/services/gateway/internal/app"
)

// failure is a request that fails, or something that makes one fail, and what the client gets.
type failure struct {
	request       *http.Request // nil: GET /v1/things
	authorization []string      // nil: a valid token
	authenticator error
	scopes        []string // nil: all
	f             func(context.Context, *rpc.Request) (*rpc.Reply, error)
	timeoutStatus int
	fullQuota     bool // no memory is left for bodies

	want       int
	reason     string
	challenge  string
	retryAfter bool
	close      bool
}

// failures is the table of failure semantics in ARCHITECTURE.md. Statuses and reasons are part of the API.
func failures(t *testing.T) map[string]failure {
	fails := func(err error) func(context.Context, *rpc.Request) (*rpc.Reply, error) {
		return func(context.Context, *rpc.Request) (*rpc.Reply, error) {
			return nil, fmt.Errorf("call things.getAll: %w", err)
		}
	}
	tooLarge, slow, broken := newRequest("POST", "/v1/things", "x"), newRequest("POST", "/v1/things", ""), newRequest("POST", "/v1/things", "")
	tooLarge.ContentLength = 1<<20 + 1
	slow.Body, slow.ContentLength = io.NopCloser(iotest.ErrReader(os.ErrDeadlineExceeded)), 1
	broken.Body, broken.ContentLength = io.NopCloser(iotest.ErrReader(errors.New("a secret"))), 1
	coded := newRequest("POST", "/v1/things", "{}")
	coded.Header.Set("Content-Encoding", "gzip")
	largeHeaders := newRequest("GET", "/v1/things", "")
	largeHeaders.Header.Set("X-Large", strings.Repeat("x", 13<<10))
	badPath := newRequest("GET", "/v1/things/%2F", "")
	badPath.URL.RawPath = "/v1/things/%"
	gone, leave := context.WithCancel(t.Context())
	leave()
	return map[string]failure{
		"no token":          {authorization: []string{}, want: 401, reason: "token-missing", challenge: `Bearer realm="warren"`},
		"another scheme":    {authorization: []string{"Basic Zm9v"}, want: 401, reason: "token-malformed", challenge: `error="invalid_request"`},
		"an empty token":    {authorization: []string{"Bearer "}, want: 401, reason: "token-malformed", challenge: `error="invalid_request"`},
		"an invalid token":  {authorization: []string{"Bearer forged"}, want: 401, reason: "token-invalid", challenge: `error="invalid_token"`},
		"lower-case scheme": {authorization: []string{"bearer " + validToken}, want: 200},
		"two tokens": {
			authorization: []string{"Bearer " + validToken, "Bearer x"}, want: 401, reason: "token-malformed", challenge: `error="invalid_request"`,
		},
		"two tokens in one": {
			authorization: []string{"Bearer " + validToken + ", Bearer x"}, want: 401, reason: "token-malformed",
			challenge: `error="invalid_request"`,
		},
		"without the scope": {
			scopes: []string{"things:write"}, want: 403, reason: "scope-missing", challenge: `error="insufficient_scope", scope="things:read"`,
		},
		"no access-control": {
			authenticator: fmt.Errorf("check token: %w", rpc.ErrTimeout), want: 503, reason: "token-check-unavailable", retryAfter: true,
		},
		"access-control fails": {
			authenticator: rpc.NewError(500, "internal error"), want: 503, reason: "token-check-unavailable", retryAfter: true,
		},

		"no such route":   {request: newRequest("GET", "/nowhere", ""), want: 404, reason: "no-such-route"},
		"another method":  {request: newRequest("DELETE", "/v1/things", ""), want: 405, reason: "method-not-allowed"},
		"malformed path":  {request: badPath, want: 400, reason: "path-malformed"},
		"malformed query": {request: newRequest("GET", "/v1/things?q=%zz", ""), want: 400, reason: "query-malformed"},
		"large headers":   {request: largeHeaders, want: 431, reason: "headers-too-large"},
		"large body":      {request: tooLarge, want: 413, reason: "body-too-large", close: true},
		"coded body":      {request: coded, want: 415, reason: "unsupported-media-type"},
		"slow body":       {request: slow, want: 408, reason: "body-too-slow", close: true},
		"broken body":     {request: broken, want: 400, reason: "body-unreadable", close: true},
		"client gone": {
			request: newRequest("GET", "/v1/things", "").WithContext(gone), f: fails(context.Canceled), want: 499, reason: "client-gone",
		},
		"bodies take quota": {
			request: newRequest("POST", "/v1/things", "x"), fullQuota: true, want: 503, reason: "too-many-bodies", retryAfter: true, close: true,
		},

		"too many calls":    {f: fails(rpc.ErrTooManyPending), want: 503, reason: "too-many-calls", retryAfter: true, close: true},
		"broker away":       {f: fails(messaging.ErrUnavailable), want: 503, reason: "service-unavailable", retryAfter: true},
		"no such queue":     {f: fails(messaging.ErrUnroutable), want: 503, reason: "service-unavailable", retryAfter: true},
		"stopping":          {f: fails(rpc.ErrClosed), want: 503, reason: "service-unavailable", retryAfter: true},
		"no reply in time":  {f: fails(rpc.ErrTimeout), want: 502, reason: "no-reply"},
		"no reply, as 504":  {f: fails(rpc.ErrTimeout), timeoutStatus: 504, want: 504, reason: "no-reply"},
		"malformed reply":   {f: fails(rpc.ErrMalformedReply), want: 502, reason: "reply-malformed"},
		"headers too large": {f: fails(messaging.ErrHeadersTooLarge), want: 431, reason: "headers-too-large"},
		"body too large":    {f: fails(messaging.ErrBodyTooLarge), want: 413, reason: "body-too-large"},
		"invalid message":   {f: fails(messaging.ErrInvalidMessage), want: 400, reason: "request-invalid"},
		"any other error":   {f: fails(errors.New("a secret")), want: 500, reason: "internal-error"},
		"a panic": {
			f: func(context.Context, *rpc.Request) (*rpc.Reply, error) { panic("a secret") }, want: 500, reason: "internal-error",
		},
		"the service's error": {f: func(_ context.Context, r *rpc.Request) (*rpc.Reply, error) {
			return rpc.Conflict("no").WithReason("thing-cancelled").Reply(r.ID), nil
		}, want: 409, reason: "thing-cancelled"},
	}
}

func (test *failure) run(t *testing.T) *httptest.ResponseRecorder {
	o := options()
	if test.timeoutStatus != 0 {
		o.TimeoutStatus = test.timeoutStatus
	}
	f := newFixture(t, o)
	f.caller.f = test.f
	f.authenticator.err = test.authenticator
	if test.scopes != nil {
		f.authenticator.identity.Scopes = test.scopes
	}
	if test.fullQuota && !f.bodies.TryAcquire(o.MaxBodiesBytes) {
		t.Fatal("the quota is in use at the start")
	}
	r := test.request
	if r == nil {
		r = newRequest(http.MethodGet, "/v1/things", "")
	}
	if test.authorization != nil {
		r.Header["Authorization"] = test.authorization
	}
	return f.do(r)
}

func TestFailures(t *testing.T) {
	for name, test := range failures(t) {
		t.Run(name, func(t *testing.T) {
			w := test.run(t)
			if w.Code != test.want {
				t.Fatalf("status %d, want %d: %s", w.Code, test.want, w.Body)
			}
			if w.Code == http.StatusOK {
				return
			}
			if got, want := problemIn(t, w)["type"], "urn:problem-type:"+test.reason; got != want {
				t.Errorf("type %v, want %s", got, want)
			}
			if got := w.Header().Get("WWW-Authenticate"); !strings.Contains(got, test.challenge) || (got == "") != (test.challenge == "") {
				t.Errorf("WWW-Authenticate %q, want %q", got, test.challenge)
			}
			if got := w.Header().Get("Retry-After"); (got != "") != test.retryAfter {
				t.Errorf("Retry-After %q", got)
			}
			if got := w.Header().Get("Connection"); (got == "close") != test.close {
				t.Errorf("Connection %q", got)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("the cause reached the client: %s", w.Body)
			}
		})
	}
}

// TestEveryProblemIsTested compares the gateway's problems with those of TestFailures, by reason and status.
func TestEveryProblemIsTested(t *testing.T) {
	want := map[string]int64{"thing-cancelled": 409} // a service's
	for _, problem := range reflect.ValueOf(problems).Fields() {
		reason := problem.Elem().FieldByName("Reason").String()
		if want[reason] != 0 || reason == "" {
			t.Errorf("reason %q is not unique", reason)
		}
		want[reason] = problem.Elem().FieldByName("Status").Int()
	}
	got := map[string]int64{}
	for _, test := range failures(t) {
		if test.reason != "" && test.timeoutStatus == 0 {
			got[test.reason] = int64(test.want)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses by reason (-problem.go +TestFailures):\n%s", diff)
	}
}

func TestUnknownRouteAndMethod(t *testing.T) {
	f := newFixture(t, options())
	for target, want := range map[string]int{"GET /nowhere": 404, "DELETE /v1/things": 405, "GET /": 404} {
		method, path, _ := strings.Cut(target, " ")
		w := f.do(newRequest(method, path, ""))
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", target, w.Code, want)
		}
		problemIn(t, w)
	}
	if f.caller.last != nil {
		t.Errorf("called %s", f.caller.last.Queue)
	}
}

func TestClientGone(t *testing.T) {
	f := newFixture(t, options())
	f.caller.f = func(ctx context.Context, _ *rpc.Request) (*rpc.Reply, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("call: %w", ctx.Err())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := f.do(newRequest(http.MethodGet, "/v1/things", "").WithContext(ctx))
	if w.Code != statusClientGone {
		t.Errorf("status %d: a client that only closed its sending side would take it for a success", w.Code)
	}
	if !strings.Contains(f.log.String(), "route=/v1/things ") || !strings.Contains(f.log.String(), "status=499") {
		t.Errorf("not logged as 499: %s", f.log)
	}
}

func TestLimits(t *testing.T) {
	o := options()
	o.MaxBodyBytes, o.MaxHeaderBytes = 100, 2000
	chunked := func(body string) *http.Request {
		r := newRequest(http.MethodPost, "/v1/things", body)
		r.ContentLength = -1
		return r
	}
	withHeader := func(name, value string) *http.Request {
		r := newRequest(http.MethodGet, "/v1/things", "")
		r.Header.Set(name, value)
		return r
	}
	tests := map[string]struct {
		r    *http.Request
		want int
	}{
		"body at the limit":            {newRequest(http.MethodPost, "/v1/things", strings.Repeat("x", 100)), 200},
		"body over the limit":          {newRequest(http.MethodPost, "/v1/things", strings.Repeat("x", 101)), 413},
		"chunked body at the limit":    {chunked(strings.Repeat("x", 100)), 200},
		"chunked body over the limit":  {chunked(strings.Repeat("x", 101)), 413},
		"headers over the limit":       {withHeader("X-Large", strings.Repeat("x", 2000)), 431},
		"a long header name":           {withHeader("X-"+strings.Repeat("n", 300), "x"), 200},
		"query over the limit":         {newRequest(http.MethodGet, "/v1/things?q="+strings.Repeat("x", 2000), ""), 431},
		"a query that can't be parsed": {newRequest(http.MethodGet, "/v1/things?q=%zz", ""), 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, o)
			w := f.do(test.r)
			if w.Code != test.want {
				t.Fatalf("status %d, want %d: %s", w.Code, test.want, w.Body)
			}
			if test.want != http.StatusOK {
				problemIn(t, w)
				if f.caller.last != nil {
					t.Error("the request was passed on")
				}
			}
		})
	}
}

// TestRouteBodyLimit: a route lowers the gateway's limit of bodies, and can't raise it.
func TestRouteBodyLimit(t *testing.T) {
	o := options()
	o.MaxBodyBytes = 100_000
	for target, limit := range map[string]int{"/v1/login": 4096, "/v1/things": 65_536, "/v1/any": 100_000, "/v1/large": 100_000} {
		f := newFixtureOf(t, o, func(api *table) {
			things(api)
			v1 := api.group("/v1")
			v1.POST("/any", proxy("any.queue"), public)
			v1.POST("/large", proxy("any.queue"), public, maxBody(1_000_000))
		})
		for size, want := range map[int]int{limit: http.StatusOK, limit + 1: http.StatusRequestEntityTooLarge} {
			r := newRequest(http.MethodPost, target, strings.Repeat("x", size))
			chunked := newRequest(http.MethodPost, target, strings.Repeat("x", size))
			chunked.ContentLength = -1
			for _, r := range []*http.Request{r, chunked} {
				if w := f.do(r); w.Code != want || want != http.StatusOK && !strings.Contains(w.Body.String(), fmt.Sprint(limit)) {
					t.Errorf("%d bytes to %s: status %d, want %d: %s", size, target, w.Code, want, w.Body)
				}
			}
		}
	}
}

// TestRequestContentCoding: a body with a content coding is refused, because services would take it for plain JSON.
func TestRequestContentCoding(t *testing.T) {
	for coding, want := range map[string]int{
		"gzip": 415, "br": 415, "GZIP": 415, "x-unknown": 415, "identity, gzip": 415, "identity": 200, "Identity": 200, "": 200,
	} {
		f := newFixture(t, options())
		r := newRequest(http.MethodPost, "/v1/things", "{}")
		r.Header.Set("Content-Encoding", coding)
		w := f.do(r)
		if w.Code != want || want == http.StatusUnsupportedMediaType && w.Header().Get("Accept-Encoding") != "identity" {
			t.Errorf("%q: status %d, Accept-Encoding %q; want %d", coding, w.Code, w.Header().Get("Accept-Encoding"), want)
		}
		if (f.caller.last != nil) != (want == http.StatusOK) {
			t.Errorf("%q: passed on: %t", coding, f.caller.last != nil)
		}
	}
	r := newRequest(http.MethodPost, "/v1/things", "{}")
	r.Header["Content-Encoding"] = []string{"identity", "gzip"}
	if w := newFixture(t, options()).do(r); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("in a second header: status %d", w.Code)
	}
}

func TestLogoutForgetsTheToken(t *testing.T) {
	f := newFixture(t, options())
	f.do(newRequest(http.MethodPost, "/v1/logout", ""))
	if len(f.authenticator.forgotten) != 1 || f.authenticator.forgotten[0] != validToken {
		t.Errorf("forgotten: %d tokens, want the caller's", len(f.authenticator.forgotten))
	}
}

func TestTokensAreNotLogged(t *testing.T) {
	f := newFixture(t, options())
	f.do(newRequest(http.MethodGet, "/v1/things?token="+validToken, ""))
	f.authenticator.err = app.ErrInvalidToken
	f.do(newRequest(http.MethodGet, "/v1/things", ""))
	if log := f.log.String(); strings.Contains(log, validToken) || !strings.Contains(log, "status=401") {
		t.Errorf("log:\n%s", log)
	}
}

func TestStartAndStop(t *testing.T) {
	f := newFixture(t, options())
	running, finish := make(chan struct{}), make(chan struct{})
	f.caller.f = func(context.Context, *rpc.Request) (*rpc.Reply, error) {
		close(running)
		<-finish
		return &rpc.Reply{Status: http.StatusNoContent}, nil
	}
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.Addr().String()+"/v1/login", nil)
		if err != nil {
			result <- err
			return
		}
		transport := &http.Transport{DisableKeepAlives: true}
		response, err := transport.RoundTrip(r)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode != http.StatusNoContent {
				err = fmt.Errorf("status %d", response.StatusCode)
			}
		}
		result <- err
	}()
	<-running
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- f.Stop(ctx)
	}()
	close(finish)
	if err := <-result; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}
