package http

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sync/semaphore"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
)

// quotaOf returns settings with a small quota for bodies.
func quotaOf(total, each int64) settings {
	o := options()
	o.MaxBodiesBytes, o.MaxBodyBytes = total, each
	return o
}

// isQuotaFree reports whether no body holds any quota.
func (f *fixture) isQuotaFree() bool {
	if !f.bodies.TryAcquire(f.config.MaxBodiesBytes) {
		return false
	}
	f.bodies.Release(f.config.MaxBodiesBytes)
	return true
}

// awaitQuota waits until no body holds any quota.
func (f *fixture) awaitQuota(t *testing.T) {
	t.Helper()
	awaittest.Until(t, "release of the quota", f.isQuotaFree)
}

func TestBodyIsReadWhole(t *testing.T) {
	const limit = 10_000
	readers := map[string]func(io.Reader) io.Reader{
		"at once":         func(r io.Reader) io.Reader { return r },
		"byte by byte":    iotest.OneByteReader,
		"end with data":   iotest.DataErrReader,
		"half of a read":  iotest.HalfReader,
		"in small pieces": func(r io.Reader) io.Reader { return bufio.NewReaderSize(iotest.OneByteReader(r), 16) },
	}
	for name, reader := range readers {
		for _, size := range []int{1, 511, 512, 513, 4321, limit} {
			for _, length := range []int{size, -1} { // with and without a Content-Length
				t.Run(fmt.Sprintf("%s/%d of %d", name, size, length), func(t *testing.T) {
					want := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
					b := &requestBody{quota: &bodyQuota{all: semaphore.NewWeighted(limit), share: limit}}
					r := newRequest(http.MethodPost, "/v1/things", "")
					r.Body, r.ContentLength = io.NopCloser(reader(bytes.NewReader(want))), int64(length)
					got, err := (&routeHandler{maxBody: limit}).readBody(r, b)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, want) {
						t.Errorf("got %d bytes, want the %d that were sent", len(got), size)
					}
					if b.held != int64(size) {
						t.Errorf("holds a quota of %d bytes, want %d", b.held, size)
					}
				})
			}
		}
	}
}

// TestBodyQuota: a body over the quota is refused before any call, and served once there is quota again. Uploads to one route
// leave quota for the others.
func TestBodyQuota(t *testing.T) {
	const size = 3_000
	f := newFixture(t, quotaOf(2*(size+1), size))
	called, finish := make(chan struct{}), make(chan struct{})
	f.caller.f = func(_ context.Context, r *rpc.Request) (*rpc.Reply, error) {
		if r.Queue == "things.create" {
			called <- struct{}{}
			<-finish
		}
		return &rpc.Reply{Status: http.StatusNoContent}, nil
	}
	upload := func(target string) *http.Request {
		return newRequest(http.MethodPost, target, strings.Repeat("x", size))
	}
	first := make(chan int, 1)
	go func() { first <- f.do(upload("/v1/things")).Code }()
	<-called
	w := f.do(upload("/v1/things"))
	problemIn(t, w)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("over the quota: status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	for _, r := range []*http.Request{newRequest("GET", "/v1/things", ""), upload("/v1/login"), upload("/v1/things/7/cancel")} {
		if w := f.do(r); w.Code != http.StatusNoContent {
			t.Errorf("%s %s: status %d, want it served from the rest of the quota", r.Method, r.URL, w.Code)
		}
	}
	close(finish)
	if status := <-first; status != http.StatusNoContent {
		t.Errorf("the first upload: status %d", status)
	}
	again := make(chan int, 1)
	go func() { again <- f.do(upload("/v1/things")).Code }()
	awaittest.Receive(t, called, "call of the upload with quota again")
	if status := <-again; status != http.StatusNoContent {
		t.Errorf("with quota again: status %d", status)
	}
	if !f.isQuotaFree() {
		t.Error("some quota is still held")
	}
}

// TestAnnouncedBodiesTakeNoQuota: clients that announce a body without sending it do not keep out those that send one.
func TestAnnouncedBodiesTakeNoQuota(t *testing.T) {
	const size = 20_000
	f := newFixture(t, quotaOf(size+1, size))
	f.start(t)
	for range 50 {
		claim := head("POST", "/v1/things", "Content-Length: 20000", "Expect: 100-continue")
		conn := f.dial(t)
		if _, err := io.WriteString(conn, claim); err != nil {
			t.Fatal(err)
		}
		// The server asks for the body, and waits for it from now on.
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusContinue {
			t.Fatalf("status %d, want 100", response.StatusCode)
		}
		defer conn.Close()
	}
	if w := f.do(newRequest(http.MethodPost, "/v1/things", strings.Repeat("x", size))); w.Code != http.StatusOK {
		t.Errorf("status %d for a body that was sent", w.Code)
	}
}

// TestRefusalDoesNotWaitForTheBody: a slow client is refused at once when its body is over the quota.
func TestRefusalDoesNotWaitForTheBody(t *testing.T) {
	const size = 2_000
	o := quotaOf(size+1, size) // for one whole body
	o.ReadTimeout = time.Minute
	f := newFixture(t, o)
	if !f.bodies.TryAcquire(size / 2) {
		t.Fatal("the quota is in use at the start")
	}
	f.start(t)
	conn := f.dial(t)
	half := strings.Repeat("x", size/2+2)
	if _, err := io.WriteString(conn, head("POST", "/v1/things", "Content-Length: 2000")+half); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable || !response.Close {
		t.Errorf("status %d, connection closed: %t; want 503 and a close", response.StatusCode, response.Close)
	}
	f.bodies.Release(size / 2)
	f.awaitQuota(t)
}

// TestBodyQuotaIsReleased in every way that a request can end, while many requests compete for the quota.
func TestBodyQuotaIsReleased(t *testing.T) {
	const size = 5_000
	var body = strings.Repeat("x", size)
	post := func() *http.Request { return newRequest(http.MethodPost, "/v1/things", body) }
	sending := func(r io.Reader) *http.Request {
		request := post()
		request.Body, request.ContentLength = io.NopCloser(r), -1
		return request
	}
	cancelled := func() *http.Request {
		ctx, cancel := context.WithCancel(t.Context())
		r := post().WithContext(ctx)
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(body[:size/2]), readerFunc(func([]byte) (int, error) {
			cancel()
			return 0, io.ErrClosedPipe
		})))
		return r
	}
	fails := func(err error) func(context.Context, *rpc.Request) (*rpc.Reply, error) {
		return func(context.Context, *rpc.Request) (*rpc.Reply, error) { return nil, err }
	}
	tests := map[string]struct {
		request func() *http.Request
		f       func(context.Context, *rpc.Request) (*rpc.Reply, error)
		want    int // or 503, when the quota is used up
	}{
		"success":             {post, nil, 200},
		"the service's error": {post, func(context.Context, *rpc.Request) (*rpc.Reply, error) { return &rpc.Reply{Status: 409}, nil }, 409},
		"no reply in time":    {post, fails(rpc.ErrTimeout), 502},
		"broker away":         {post, fails(messaging.ErrUnavailable), 503},
		"client gone, called": {post, fails(context.Canceled), 499},
		"client gone before":  {cancelled, nil, 499},
		"a panic":             {post, func(context.Context, *rpc.Request) (*rpc.Reply, error) { panic("a fault") }, 500},
		"an abort":            {post, func(context.Context, *rpc.Request) (*rpc.Reply, error) { panic(http.ErrAbortHandler) }, aborted},
		"too large":           {func() *http.Request { return sending(strings.NewReader(body + body + body)) }, nil, 413},
		"cut off":             {func() *http.Request { return sending(iotest.TimeoutReader(strings.NewReader(body))) }, nil, 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, quotaOf(4*size, 2*size))
			f.caller.f = test.f
			var ended atomic.Int64
			var clients sync.WaitGroup
			for range 8 {
				clients.Go(func() {
					for range 50 {
						switch got := f.status(test.request()); got {
						case test.want:
							ended.Add(1)
						case http.StatusServiceUnavailable:
						default:
							t.Errorf("status %d, want %d", got, test.want)
						}
					}
				})
			}
			clients.Wait()
			if ended.Load() == 0 {
				t.Error("no request found quota")
			}
			if !f.isQuotaFree() {
				t.Error("some quota is still held")
			}
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// aborted is the status of a request whose handler panicked with http.ErrAbortHandler, as net/http allows.
const aborted = 0

func (f *fixture) status(r *http.Request) (status int) {
	defer func() {
		switch cause := recover(); cause {
		case nil:
		case http.ErrAbortHandler:
			status = aborted
		default:
			panic(cause)
		}
	}()
	return f.do(r).Code
}

// TestBodyQuotaOfLostClients: the same over sockets, where clients disconnect while they send and while they wait.
func TestBodyQuotaOfLostClients(t *testing.T) {
	const size = 20_000
	f := newFixture(t, quotaOf(20*size, size))
	called := make(chan struct{})
	f.caller.f = func(ctx context.Context, _ *rpc.Request) (*rpc.Reply, error) {
		called <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.start(t)
	for range 5 {
		waiting, sending := f.dial(t), f.dial(t)
		if _, err := io.WriteString(waiting, head("POST", "/v1/things", "Content-Length: 20000")+strings.Repeat("x", size)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(sending, head("POST", "/v1/things", "Content-Length: 20000")+strings.Repeat("x", size/2)); err != nil {
			t.Fatal(err)
		}
		<-called
		_ = waiting.Close()
		_ = sending.Close()
	}
	f.awaitQuota(t)
}

// TestSlowReadersHoldNoBody: the quota is released before the response is written.
func TestSlowReadersHoldNoBody(t *testing.T) {
	f := newFixture(t, quotaOf(3_000, 2_000))
	w := &slowWriter{ResponseRecorder: httptest.NewRecorder()}
	w.onWrite = func() {
		if !f.isQuotaFree() {
			t.Error("the request's body is held while its reply is written")
		}
	}
	f.http.Handler.ServeHTTP(w, newRequest(http.MethodPost, "/v1/things", strings.Repeat("x", 2_000)))
	if w.Code != http.StatusOK || w.Body.Len() == 0 {
		t.Errorf("status %d, %d bytes", w.Code, w.Body.Len())
	}
}

type slowWriter struct {
	*httptest.ResponseRecorder
	onWrite func()
}

func (w *slowWriter) Write(p []byte) (int, error) {
	w.onWrite()
	return w.ResponseRecorder.Write(p)
}
