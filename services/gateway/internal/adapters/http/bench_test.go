package http

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"go.opentelemetry.io/otel/trace/noop"

	"example.com/warren/pkg/rpc"
)

// newBenchServer returns a server whose calls return at once, and which logs as in production.
func newBenchServer(b *testing.B) *Server {
	b.Helper()
	reply := &rpc.Reply{Status: http.StatusOK, ContentType: "application/json", Body: make([]byte, 1024)}
	o := options()
	s, err := newServer(things, o.Config, o.callTimeout, fixedReply{reply}, &authenticator{identity: user},
		slog.New(slog.NewJSONHandler(unwritten{}, nil)), prometheus.NewRegistry(), noop.NewTracerProvider())
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func benchRequest() *http.Request {
	r := newRequest(http.MethodGet, "/v1/things/0190a6d0-0000-7000-8000-000000000042?expand=lines", "")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "bench")
	return r
}

// BenchmarkRequest maps an HTTP request to a call.
func BenchmarkRequest(b *testing.B) {
	s := newBenchServer(b)
	c := echo.New().NewContext(benchRequest(), httptest.NewRecorder())
	c.SetPath("/v1/things/:id")
	c.SetParamNames("id")
	c.SetParamValues("0190a6d0-0000-7000-8000-000000000042")
	info := &requestInfo{id: "0b0e1a5e-6f4c-4d0a-9a51-5c8a3c1d2e3f", identity: &user}
	h := s.newRouteHandler(Route{Method: http.MethodGet, Path: "/v1/things/:id", Queue: "things.get", RequireToken: true})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.request(c, info); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriteReply maps a reply to an HTTP response.
func BenchmarkWriteReply(b *testing.B) {
	e, w := echo.New(), discarding{http.Header{}}
	reply := &rpc.Reply{
		Status: http.StatusOK, Header: http.Header{"Etag": {`"1"`}}, ContentType: "application/json", Body: make([]byte, 1024),
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := writeReply(e.NewContext(nil, w), reply); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkServeHTTP does everything that the gateway does for a request, except net/http and the call.
func BenchmarkServeHTTP(b *testing.B) {
	s := newBenchServer(b)
	r := benchRequest()
	b.ReportAllocs()
	for b.Loop() {
		s.http.Handler.ServeHTTP(discarding{http.Header{}}, r)
	}
}

// fixedReply is a caller whose calls return at once.
type fixedReply struct{ reply *rpc.Reply }

func (f fixedReply) Do(context.Context, *rpc.Request) (*rpc.Reply, error) { return f.reply, nil }

// unwritten discards log lines after they are formatted, unlike slog.DiscardHandler.
type unwritten struct{}

func (unwritten) Write(p []byte) (int, error) { return len(p), nil }

// discarding is a response that is discarded.
type discarding struct{ header http.Header }

func (d discarding) Header() http.Header         { return d.header }
func (d discarding) Write(p []byte) (int, error) { return len(p), nil }
func (d discarding) WriteHeader(int)             {}
func (d discarding) Flush()                      {}
