package http

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/rpc"
)

// start serves on a real socket until the test ends.
func (s *Server) start(t testing.TB) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func (f *fixture) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}

func head(method, target string, headers ...string) string {
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: gateway", "Authorization: Bearer " + validToken}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// TestBrokenClients: an incomplete request never gets a success.
func TestBrokenClients(t *testing.T) {
	const post = "/v1/things"
	tests := map[string]struct {
		bytes     string
		halfClose bool
		want      int
	}{
		"a body that stalls":         {bytes: head("POST", post, "Content-Length: 10") + "12345", want: 408},
		"a chunked body that stalls": {bytes: head("POST", post, "Transfer-Encoding: chunked") + "5\r\n12345\r\n", want: 408},
		"a body cut off":             {bytes: head("POST", post, "Content-Length: 10") + "12345", halfClose: true, want: 400},
		"a bad chunk":                {bytes: head("POST", post, "Transfer-Encoding: chunked") + "zz\r\n", want: 400},
		"a half-closed request":      {bytes: head("GET", post), halfClose: true, want: 499},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.ReadTimeout = 200 * time.Millisecond
			f := newFixture(t, o)
			f.caller.f = func(ctx context.Context, _ *rpc.Request) (*rpc.Reply, error) {
				<-ctx.Done() // the service is slow
				return nil, fmt.Errorf("call: %w", ctx.Err())
			}
			f.start(t)
			conn := f.dial(t)
			if _, err := io.WriteString(conn, test.bytes); err != nil {
				t.Fatal(err)
			}
			if test.halfClose {
				if err := conn.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != test.want {
				t.Errorf("status %d, want %d", response.StatusCode, test.want)
			}
		})
	}
}

// lines is a log of requests, line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("msg=request")) {
		l <- string(p)
	}
	return len(p), nil
}

// TestAbandonedCallsCount until they are answered: the broker holds their requests although the clients have gone.
func TestAbandonedCallsCount(t *testing.T) {
	const size = 20_000
	f := newFixtureOf(t, quotaOf(2*(size+1), size), func(api *table) { api.group("/v1").POST("/any", proxy("any.queue"), public) })
	log := make(lines, 10)
	f.logger = slog.New(slog.NewTextHandler(log, nil))
	called, finish := make(chan struct{}, 2), make(chan struct{})
	f.caller.f = func(ctx context.Context, _ *rpc.Request) (*rpc.Reply, error) {
		called <- struct{}{}
		select {
		case <-finish:
		case <-ctx.Done():
			t.Errorf("the call ended: %v", ctx.Err())
		}
		return &rpc.Reply{Status: http.StatusNoContent}, nil
	}
	noticed := make(chan struct{}, 2) // that a client has gone
	handler := f.http.Handler
	f.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer context.AfterFunc(r.Context(), func() { noticed <- struct{}{} })()
		handler.ServeHTTP(w, r)
	})
	f.start(t)
	upload := head("POST", "/v1/any", "Content-Length: 20000") + strings.Repeat("x", size)
	gone := f.dial(t)
	if _, err := io.WriteString(gone, upload); err != nil {
		t.Fatal(err)
	}
	awaittest.Receive(t, called, "the call")
	_ = gone.Close()
	awaittest.Receive(t, noticed, "end of the request's context")
	if status, _ := roundTrip(t, f.Addr(), upload); status != http.StatusServiceUnavailable {
		t.Errorf("status %d while an abandoned call uses the quota of the route, want 503", status)
	}
	awaittest.Receive(t, log, "log line of the refusal")
	close(finish)
	if line := awaittest.Receive(t, log, "log line of the abandoned request"); !strings.Contains(line, "status=499") {
		t.Errorf("log %q, want status=499", line)
	}
	f.awaitQuota(t)
}

// TestSlowUpload: the time that a client takes to send its body does not shorten the call.
func TestSlowUpload(t *testing.T) {
	o := options()
	o.callTimeout = 300 * time.Millisecond
	f := newFixture(t, o)
	left := make(chan time.Duration, 1)
	f.caller.f = func(_ context.Context, r *rpc.Request) (*rpc.Reply, error) {
		left <- time.Until(r.Deadline)
		return &rpc.Reply{Status: http.StatusNoContent}, nil
	}
	f.start(t)
	conn := f.dial(t)
	if _, err := io.WriteString(conn, head("POST", "/v1/things", "Content-Length: 2")+"{"); err != nil {
		t.Fatal(err)
	}
	<-time.After(2 * o.callTimeout)
	if _, err := io.WriteString(conn, "}"); err != nil {
		t.Fatal(err)
	}
	if d := awaittest.Receive(t, left, "the call"); d <= 0 {
		t.Errorf("%s left for the call", d)
	}
}

func TestHead(t *testing.T) {
	f := newFixture(t, options())
	f.start(t)
	conn := f.dial(t)
	if _, err := io.WriteString(conn, head("HEAD", "/v1/things")+head("GET", "/v1/things")); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		response, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusOK || (len(body) > 0) != (method == http.MethodGet) {
			t.Errorf("%s: status %d, body %q", method, response.StatusCode, body)
		}
	}
}

// TestConnectionCloses after requests whose framing another server on the way may have read differently (RFC 9112, section 6.1):
// what follows them is not another request.
func TestConnectionCloses(t *testing.T) {
	const chunks, smuggled = "2\r\n{}\r\n0\r\n\r\n", "GET /v1/things HTTP/1.1\r\nHost: gateway\r\n\r\n"
	both := head("POST", "/v1/things", "Content-Length: 2", "Transfer-Encoding: chunked")
	tests := map[string]struct {
		request   string
		wantClose bool
	}{
		"both":                  {both + chunks, true},
		"both, in other order":  {head("POST", "/v1/things", "Transfer-Encoding: chunked", "Content-Length: 2") + chunks, true},
		"both, refused":         {strings.Replace(both, validToken, "x", 1) + chunks, true},
		"both, no such route":   {strings.Replace(both, "things", "nowhere", 1) + chunks, true},
		"both, on GET":          {strings.Replace(both, "POST", "GET", 1) + chunks, true},
		"HTTP/1.0 with chunked": {strings.Replace(both, "HTTP/1.1", "HTTP/1.0\r\nConnection: keep-alive", 1) + "{}", true},
		"a length":              {head("POST", "/v1/things", "Content-Length: 2") + "{}", false},
		"neither":               {head("GET", "/v1/things"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, options())
			f.start(t)
			conn := f.dial(t)
			if _, err := io.WriteString(conn, test.request+smuggled); err != nil {
				t.Fatal(err)
			}
			reader := bufio.NewReader(conn)
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			next, err := http.ReadResponse(reader, nil)
			if response.Close != test.wantClose || (err != nil) != test.wantClose {
				t.Errorf("connection closed: %t, want %t; after it: %v", response.Close, test.wantClose, err)
			}
			if err == nil {
				_ = next.Body.Close()
			}
		})
	}
}

// gate is a log that blocks on lines about requests until it is open.
type gate struct{ open chan struct{} }

func (g gate) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("msg=request")) {
		<-g.open
	}
	return len(p), nil
}

// TestResponseBeforeLog: a whole response with its length reaches the client while writing the log is blocked.
func TestResponseBeforeLog(t *testing.T) {
	tests := map[string]struct {
		reply rpc.Reply
		want  string // Content-Length
	}{
		"a body":            {rpc.Reply{Status: 200, Body: []byte("{}")}, "2"},
		"over one buffer":   {rpc.Reply{Status: 200, Body: make([]byte, 3_000)}, "3000"},
		"over both buffers": {rpc.Reply{Status: 200, Body: make([]byte, 100_000)}, "100000"},
		"empty":             {rpc.Reply{Status: 201}, "0"},
		"no content":        {rpc.Reply{Status: 204}, ""},
		"reset content":     {rpc.Reply{Status: 205}, "0"},
		"not modified":      {rpc.Reply{Status: 304}, ""},
		"a refusal":         {rpc.Reply{Status: 404, Body: []byte("{}")}, "2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, options())
			log := gate{make(chan struct{})}
			defer close(log.open)
			f.logger = slog.New(slog.NewTextHandler(log, nil))
			f.caller.f = func(context.Context, *rpc.Request) (*rpc.Reply, error) { return &test.reply, nil }
			f.start(t)
			conn := f.dial(t)
			if _, err := io.WriteString(conn, head("GET", "/v1/things")); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != test.reply.Status || !bytes.Equal(body, test.reply.Body) {
				t.Errorf("status %d, %d bytes, %v", response.StatusCode, len(body), err)
			}
			if got := response.Header.Get("Content-Length"); got != test.want {
				t.Errorf("Content-Length %q, want %q", got, test.want)
			}
		})
	}
}

// TestMaxConnections: connections above the limit wait until others are closed, and are served then.
func TestMaxConnections(t *testing.T) {
	const limit, clients = 3, 12
	o := options()
	o.MaxConnections = limit
	f := newFixture(t, o)
	var running atomic.Int32
	full := make(chan struct{})
	f.caller.f = func(context.Context, *rpc.Request) (*rpc.Reply, error) {
		n := running.Add(1)
		defer running.Add(-1)
		if n > limit {
			t.Errorf("%d requests at once, want at most %d", n, limit)
		}
		if n == limit {
			<-time.After(50 * time.Millisecond) // time for one too many to arrive
			select {
			case <-full:
			default:
				close(full)
			}
		}
		<-full
		return &rpc.Reply{Status: http.StatusNoContent}, nil
	}
	f.start(t)
	var served sync.WaitGroup
	for range clients {
		conn := f.dial(t)
		served.Go(func() {
			defer conn.Close()
			_, _ = io.WriteString(conn, head("GET", "/v1/things", "Connection: close"))
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusNoContent {
				t.Errorf("status %d", response.StatusCode)
			}
		})
	}
	served.Wait()
}
