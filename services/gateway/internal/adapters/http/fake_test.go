package http

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"example.com/warren/pkg/rpc"
	"example.com/warren/services/gateway/internal/app"
)

const validToken = "valid-token"

// caller returns what f returns, and keeps the last request.
type caller struct {
	f func(ctx context.Context, r *rpc.Request) (*rpc.Reply, error)

	mu   sync.Mutex
	last *rpc.Request
}

func (c *caller) Do(ctx context.Context, r *rpc.Request) (*rpc.Reply, error) {
	c.mu.Lock()
	c.last = r
	c.mu.Unlock()
	if c.f == nil {
		return &rpc.Reply{Status: http.StatusOK, ContentType: "application/json", Body: []byte(`{}`)}, nil
	}
	ctx, cancel := context.WithDeadline(ctx, r.Deadline)
	defer cancel()
	return c.f(ctx, r)
}

// authenticator knows one token.
type authenticator struct {
	identity rpc.Identity
	err      error

	mu        sync.Mutex
	deadline  time.Time // of the last check
	forgotten []string
}

func (a *authenticator) Authenticate(_ context.Context, token string, deadline time.Time) (*rpc.Identity, error) {
	a.mu.Lock()
	a.deadline = deadline
	a.mu.Unlock()
	switch {
	case a.err != nil:
		return nil, a.err
	case token != validToken:
		return nil, app.ErrInvalidToken
	default:
		identity := a.identity
		return &identity, nil
	}
}

func (a *authenticator) Forget(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgotten = append(a.forgotten, token)
}

var user = rpc.Identity{
	Subject: "42", Username: "demo", Scopes: []string{"things:read", "things:write"}, TokenID: "jti",
	ExpiresAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
}

// settings are what NewServer takes beside its dependencies.
type settings struct {
	Config
	callTimeout time.Duration
}

func options() settings {
	return settings{callTimeout: time.Second, Config: Config{
		Addr:              "127.0.0.1:0",
		TimeoutStatus:     http.StatusBadGateway,
		MaxBodyBytes:      1 << 20,
		MaxBodiesBytes:    64 << 20,
		MaxHeaderBytes:    12 << 10,
		MaxConnections:    1000,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       10 * time.Second,
	}}
}

// fixture is a server over fakes, and what it logs.
type fixture struct {
	*Server
	caller        *caller
	authenticator *authenticator
	log           *bytes.Buffer
}

// things is the API of most tests, which don't depend on that in routes.go.
func things(api *table) {
	v1 := api.group("/v1")
	v1.POST("/login", proxy("users.login"), public, within(10*time.Second), maxBody(4<<10))
	v1.POST("/logout", proxy("users.logout"), requireToken, forgetToken)
	v1.GET("/things", proxy("things.getAll"), requireToken, scope("things:read"))
	v1.POST("/things", proxy("things.create"), requireToken, scope("things:write"), maxBody(64<<10), idempotent)
	v1.GET("/things/:id", proxy("things.get"), requireToken, scope("things:read"))
	v1.POST("/things/:id/cancel", proxy("things.cancel"), requireToken, scope("things:write"), maxBody(4<<10))
}

// newFixture returns a fixture with the routes of things.
func newFixture(t testing.TB, o settings) *fixture {
	t.Helper()
	return newFixtureOf(t, o, things)
}

// newFixtureOf returns a fixture with the routes that declare declares.
func newFixtureOf(t testing.TB, o settings, declare func(*table)) *fixture {
	t.Helper()
	return newTracedFixture(t, o, declare, noop.NewTracerProvider())
}

// newTracedFixture returns a fixture whose spans traces records.
func newTracedFixture(t testing.TB, o settings, declare func(*table), traces trace.TracerProvider) *fixture {
	t.Helper()
	f := &fixture{caller: &caller{}, authenticator: &authenticator{identity: user}, log: &bytes.Buffer{}}
	var err error
	f.Server, err = newServer(declare, o.Config, o.callTimeout, f.caller, f.authenticator,
		slog.New(slog.NewTextHandler(f.log, nil)), prometheus.NewPedanticRegistry(), traces)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.http.Handler.ServeHTTP(w, r)
	return w
}

func newRequest(method, target, body string) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	r.Header.Set("Authorization", "Bearer "+validToken)
	return r
}

// problemIn checks that a response is problem+json about this request, and returns it.
func problemIn(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q, want application/problem+json", got)
	}
	var p map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("body %q: %v", w.Body, err)
	}
	if p["correlation_id"] == "" || p["correlation_id"] != w.Header().Get("X-Correlation-Id") {
		t.Errorf("correlation_id %v, X-Correlation-Id %q", p["correlation_id"], w.Header().Get("X-Correlation-Id"))
	}
	if p["status"] != float64(w.Code) {
		t.Errorf("status in the body %v, of the response %d", p["status"], w.Code)
	}
	return p
}
