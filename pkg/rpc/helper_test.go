package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
)

const testTimeout = 30 * time.Second

func newBroker(t testing.TB) *inmem.Broker {
	t.Helper()
	return connect(t, inmem.NewServer())
}

func connect(t testing.TB, server *inmem.Server) *inmem.Broker {
	t.Helper()
	b := server.Connect()
	t.Cleanup(func() { noError(t, b.Close(stopContext(t))) })
	return b
}

// stopContext returns a context for stopping, which fails instead of hanging.
func stopContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

func startClient(t testing.TB, b messaging.Broker, o ClientOptions) *Client {
	t.Helper()
	if o.Name == "" {
		o.Name = "caller"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := NewClient(b, o)
	noError(t, c.Start(t.Context()))
	t.Cleanup(func() { noError(t, c.Close(stopContext(t))) })
	return c
}

func newTestServer(b messaging.Broker, o ServerOptions) *Server {
	if o.Name == "" {
		o.Name = "service"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return NewServer(b, o)
}

// serve starts a server with one raw method.
func serve(t testing.TB, b messaging.Broker, o ServerOptions, queue string, f Func, options ...HandleOption) *Server {
	t.Helper()
	s := newTestServer(b, o)
	s.Handle(queue, f, options...)
	start(t, s)
	return s
}

func start(t testing.TB, s *Server) {
	t.Helper()
	noError(t, s.Start(t.Context()))
	t.Cleanup(func() { noError(t, s.Drain(stopContext(t))) })
}

// subscribe runs a service that does not use this package.
func subscribe(t testing.TB, b messaging.Broker, queue string, h messaging.Handler, options ...messaging.SubscribeOption) {
	t.Helper()
	s, err := b.Subscribe(t.Context(), messaging.Queue{Name: queue, Durable: true}, h, options...)
	noError(t, err)
	t.Cleanup(func() { noError(t, s.Drain(stopContext(t))) })
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ok(context.Context, *Request) (*Reply, error) {
	return &Reply{ContentType: "text/plain", Body: []byte("ok")}, nil
}

// shopRequest returns a request that uses all fields.
func shopRequest() *Request {
	return &Request{
		Queue:         "orders.create",
		ID:            "0b0e1a5e-6f4c-4d0a-9a51-5c8a3c1d2e3f",
		CorrelationID: "5d8a1c9e-7b6a-4f3d-9c2b-1a0f9e8d7c6b",
		Method:        "POST",
		Path:          "/v1/shops/7/orders",
		Route:         "/v1/shops/:shop/orders",
		Params:        map[string]string{"shop": "7"},
		Query:         url.Values{"dry": {"true"}, "tag": {"a", "b"}},
		Header:        http.Header{"Accept": {"application/json"}, "Idempotency-Key": {"k-1"}},
		Identity:      &Identity{Subject: "u-1", Username: "demo", Scopes: []string{"orders:read", "orders:write"}, TokenID: "t-1"},
		ContentType:   "application/json",
		Body:          []byte(`{"sku":"A-1","quantity":2}`),
	}
}

// echo replies with the body.
func echo(_ context.Context, r *Request) (*Reply, error) {
	return &Reply{ContentType: r.ContentType, Body: r.Body}, nil
}

// hooked is a broker whose methods a test can replace.
type hooked struct {
	messaging.Broker
	ensure func(ctx context.Context, q messaging.Queue) error
	send   func(ctx context.Context, queue string, m messaging.Message) error
	await  func(ctx context.Context) error // of all subscriptions
	forget func(queue string)
}

func (h *hooked) Forget(queue string) {
	if h.forget == nil {
		h.Broker.Forget(queue)
		return
	}
	h.forget(queue)
}

func (h *hooked) Subscribe(ctx context.Context, q messaging.Queue, handle messaging.Handler, options ...messaging.SubscribeOption,
) (messaging.Subscription, error) {
	s, err := h.Broker.Subscribe(ctx, q, handle, options...)
	if err == nil && h.await != nil {
		s = hookedSubscription{s, h}
	}
	return s, err
}

type hookedSubscription struct {
	messaging.Subscription
	broker *hooked
}

func (h hookedSubscription) Await(ctx context.Context) error { return h.broker.await(ctx) }

func (h *hooked) Ensure(ctx context.Context, q messaging.Queue) error {
	if h.ensure == nil {
		return h.Broker.Ensure(ctx, q)
	}
	return h.ensure(ctx, q)
}

func (h *hooked) Send(ctx context.Context, queue string, m messaging.Message) error {
	if h.send == nil {
		return h.Broker.Send(ctx, queue, m)
	}
	return h.send(ctx, queue, m)
}

// logBuffer keeps the log, as JSON.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// entries returns the entries with the message.
func (l *logBuffer) entries(t testing.TB, message string) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []map[string]any
	for line := range bytes.Lines(l.buf.Bytes()) {
		var entry map[string]any
		noError(t, json.Unmarshal(line, &entry))
		if entry["msg"] == message {
			out = append(out, entry)
		}
	}
	return out
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func wantError(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got %v, want %v", err, target)
	}
}
