package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc/protocol"
)

// failing returns a handler that returns err.
func failing(err error) Func {
	return func(context.Context, *Request) (*Reply, error) { return nil, err }
}

// problem is problem+json as a client of another language reads it.
type problem struct {
	Type          string       `json:"type"`
	Title         string       `json:"title"`
	Status        int          `json:"status"`
	Detail        string       `json:"detail"`
	CorrelationID string       `json:"correlation_id"`
	Errors        []FieldError `json:"errors"`
}

func wantProblem(t *testing.T, reply *Reply, want problem) {
	t.Helper()
	var got problem
	if reply.ContentType != "application/problem+json" || reply.Status != want.Status {
		t.Errorf("got status %d, %s; want %d, application/problem+json", reply.Status, reply.ContentType, want.Status)
	}
	noError(t, json.Unmarshal(reply.Body, &got))
	want.Type = "urn:problem-type:" + NewError(want.Status, "").Reason
	want.Title = http.StatusText(want.Status)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestErrorReplies(t *testing.T) {
	secret := errors.New("password is swordfish")
	internal := problem{Status: 500, Detail: "internal error"}
	malformed := problem{Status: 502, Detail: "the reply of another service was not understood"}
	away := problem{Status: 503, Detail: "the service is not available now"}
	retry := func(seconds string) http.Header { return http.Header{"Retry-After": {seconds}} }
	tests := []struct {
		name    string
		handler Func
		want    problem
		header  http.Header
		level   string // of the log entry; "": none
	}{
		{"an Error", failing(NotFound("order %d", 42)), problem{Status: 404, Detail: "order 42"}, nil, ""},
		{"a wrapped Error", failing(fmt.Errorf("get: %w", Conflict("it is so"))), problem{Status: 409, Detail: "it is so"}, nil, ""},
		{
			"fields and headers",
			failing(Unprocessable("bad").WithFields(FieldError{Field: "a", Message: "is odd"}).WithHeader("retry-after", "3")),
			problem{Status: 422, Detail: "bad", Errors: []FieldError{{Field: "a", Message: "is odd"}}}, http.Header{"Retry-After": {"3"}}, "",
		},
		{"a cause", failing(Forbidden("no").WithCause(secret)), problem{Status: 403, Detail: "no"}, nil, "DEBUG"},
		{"a server error's cause", failing(Unavailable("later").WithCause(secret)), problem{Status: 503, Detail: "later"}, nil, "ERROR"},
		{"any other error", failing(secret), internal, nil, "ERROR"},
		{"a status that is no error's", failing(NewError(200, "fine").WithCause(secret)), internal, nil, "ERROR"},
		{
			"a call that timed out", failing(fmt.Errorf("call x: %w", ErrTimeout)),
			problem{Status: 504, Detail: "the service took too long"}, nil, "WARN",
		},
		{"a malformed reply", failing(fmt.Errorf("call x: %w", ErrMalformedReply)), malformed, nil, "ERROR"},
		{"too many calls", failing(fmt.Errorf("call x: %w", ErrTooManyPending)), away, retry("1"), "ERROR"},
		{"a closed client", failing(fmt.Errorf("call x: %w", ErrClosed)), away, retry("1"), "ERROR"},
		{"no broker", failing(fmt.Errorf("publish x: %w", messaging.ErrUnavailable)), away, retry("1"), "ERROR"},
		{"no confirm", failing(fmt.Errorf("publish x: %w", messaging.ErrUnconfirmed)), away, retry("1"), "ERROR"},
		{"no queue", failing(fmt.Errorf("call x: %w", messaging.ErrUnroutable)), away, retry("1"), "ERROR"},
		{"a closed broker", failing(fmt.Errorf("call x: %w", messaging.ErrClosed)), away, retry("1"), "ERROR"},
		{"a message that can't be sent", failing(fmt.Errorf("call x: %w", messaging.ErrBodyTooLarge)), internal, nil, "ERROR"},
		{"a refusal of another service", failing(received(Forbidden("no"))), internal, nil, "ERROR"},
		{"a wrapped refusal", failing(fmt.Errorf("reserve: %w", received(Conflict("no")))), internal, nil, "ERROR"},
		{"a refusal in another style", failing(received(Conflict("no")).WithReason("sold-out")), internal, nil, "ERROR"},
		{"a failure of another service", failing(received(NewError(500, "any"))), internal, nil, "ERROR"},
		{"another service is away", failing(received(Unavailable("later").WithHeader("Retry-After", "7"))), away, retry("7"), "ERROR"},
		{"another service is away, for some time", failing(received(Unavailable("later"))), away, retry("1"), "ERROR"},
		{
			"another service took too long", failing(received(NewError(504, "late"))),
			problem{Status: 504, Detail: "the service took too long"}, nil, "WARN",
		},
		{"another service got a malformed reply", failing(received(NewError(502, "odd"))), malformed, nil, "ERROR"},
		{"an error passed on", failing(received(Conflict("sold out")).PassOn()), problem{Status: 409, Detail: "sold out"}, nil, ""},
		{
			"an error made of a refusal", failing(Conflict("sold out").WithCause(received(Forbidden("no")))),
			problem{Status: 409, Detail: "sold out"}, nil, "DEBUG",
		},
		{"nothing", failing(nil), internal, nil, "ERROR"},
		{"an impossible status", func(context.Context, *Request) (*Reply, error) { return &Reply{Status: 99}, nil }, internal, nil, "ERROR"},
		{
			"headers beyond the limit",
			func(context.Context, *Request) (*Reply, error) {
				return &Reply{Header: http.Header{"X": {strings.Repeat("x", messaging.MaxHeadersBytes)}}}, nil
			},
			internal, nil, "replaced a reply that can't be sent",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBroker(t)
			var log logBuffer
			s := serve(t, b, ServerOptions{Logger: log.logger()}, "fails", test.handler)
			c := startClient(t, b, ClientOptions{})
			reply, err := c.Do(t.Context(), &Request{Queue: "fails", ID: "7"})
			noError(t, err)
			test.want.CorrelationID = "7"
			wantProblem(t, reply, test.want)
			if diff := cmp.Diff(test.header, reply.Header); diff != "" {
				t.Errorf("header: -want +got:\n%s", diff)
			}
			if strings.Contains(string(reply.Body), "swordfish") {
				t.Error("the cause reached the caller")
			}
			noError(t, s.Drain(stopContext(t)))
			wantLogged(t, &log, test.level)
		})
	}
}

// received returns e as a call returns it.
func received(e *Error) *Error {
	got, _ := errors.AsType[*Error](e.Reply("1").Err())
	return got
}

// wantLogged checks that one entry names the queue and the call. what is its level, or its message if it has spaces.
func wantLogged(t *testing.T, log *logBuffer, what string) {
	t.Helper()
	message := "request failed"
	if strings.Contains(what, " ") {
		message = what
	}
	entries := log.entries(t, message)
	if what == "" {
		if len(entries) > 0 {
			t.Errorf("logged %v", entries)
		}
		return
	}
	if len(entries) != 1 || entries[0]["queue"] != "fails" || entries[0]["correlation_id"] != "7" {
		t.Fatalf("got the log\n%s", log)
	}
	if message != what && entries[0]["level"] != what {
		t.Errorf("logged at %s, want %s", entries[0]["level"], what)
	}
}

func TestPanic(t *testing.T) {
	b := newBroker(t)
	var log logBuffer
	var statuses []int
	seen := func(next Func) Func {
		return func(ctx context.Context, r *Request) (*Reply, error) {
			reply, err := next(ctx, r)
			statuses = append(statuses, Status(reply, err))
			return reply, err
		}
	}
	s := serve(t, b, ServerOptions{Logger: log.logger(), Interceptors: []Interceptor{seen}}, "fails",
		func(_ context.Context, r *Request) (*Reply, error) {
			if string(r.Body) == "panic" {
				panic("out of cheese")
			}
			return &Reply{}, nil
		}, WithConcurrency(1))
	c := startClient(t, b, ClientOptions{})
	reply, err := c.Do(t.Context(), &Request{Queue: "fails", ID: "7", Body: []byte("panic")})
	noError(t, err)
	wantProblem(t, reply, problem{Status: 500, Detail: "internal error", CorrelationID: "7"})
	_, err = c.Do(t.Context(), &Request{Queue: "fails"})
	noError(t, err)
	noError(t, s.Drain(stopContext(t)))
	if diff := cmp.Diff([]int{500, 200}, statuses); diff != "" {
		t.Errorf("the interceptor: -want +got:\n%s", diff)
	}
	wantLogged(t, &log, "handler panicked")
	entry := log.entries(t, "handler panicked")[0]
	if entry["panic"] != "out of cheese" || !strings.Contains(fmt.Sprint(entry["stack"]), "server_test.go") {
		t.Errorf("got %v", entry)
	}
	if n := len(log.entries(t, "request failed")); n != 0 {
		t.Error("the panic was logged twice")
	}
}

func TestHandlerContext(t *testing.T) {
	b := newBroker(t)
	identity := &Identity{Subject: "u-1", Scopes: []string{"orders:read"}}
	deadline := time.Now().Add(testTimeout).Truncate(time.Millisecond)
	serve(t, b, ServerOptions{}, "looks", func(ctx context.Context, r *Request) (*Reply, error) {
		if RequestFrom(ctx) != r {
			t.Error("RequestFrom is another request")
		}
		if diff := cmp.Diff(identity, IdentityFrom(ctx)); diff != "" {
			t.Errorf("identity: -want +got:\n%s", diff)
		}
		if got, ok := ctx.Deadline(); !ok || !got.Equal(deadline) {
			t.Errorf("deadline %s, want %s", got, deadline)
		}
		ReplyHeader(ctx).Set("X-From", "context")
		ReplyHeader(ctx).Set("X-Both", "context")
		return &Reply{Header: http.Header{"X-Both": {"reply"}}}, nil
	}, WithStatus(202))
	c := startClient(t, b, ClientOptions{})
	reply, err := c.Do(t.Context(), &Request{Queue: "looks", Identity: identity, Deadline: deadline})
	noError(t, err)
	want := &Reply{Status: 202, Header: http.Header{"X-From": {"context"}, "X-Both": {"reply"}}}
	if diff := cmp.Diff(want, reply); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOutsideOfAHandler(t *testing.T) {
	ReplyHeader(t.Context()).Set("X", "goes nowhere")
	if RequestFrom(t.Context()) != nil || IdentityFrom(t.Context()) != nil || IdentityFrom(t.Context()).HasScope("any") {
		t.Error("a context of no handler has a request")
	}
}

func TestExpiredRequestIsNotHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		expired := 0
		handled := 0
		observer := Observer{ExpiredRequest: func() { expired++ }}
		serve(t, b, ServerOptions{Prefetch: 2, Observer: observer}, "slow", func(context.Context, *Request) (*Reply, error) {
			handled++
			<-time.After(2 * time.Second) // of the bubble's clock
			return &Reply{}, nil
		}, WithConcurrency(1))
		c := startClient(t, b, ClientOptions{Timeout: time.Second})
		// The first request occupies the handler, the second is prefetched, and the third was past its deadline when it was sent.
		// If the third took the second's place in the prefetch, the second would expire in the queue.
		for range 2 {
			go func() { _, _ = c.Do(t.Context(), &Request{Queue: "slow"}) }()
			synctest.Wait()
		}
		third := &Request{ID: "3", Deadline: time.Now().Add(-time.Second)}
		past := protocol.Encoder{ReplyTo: "caller.rpc.response"}.Request(third, "secret", time.Now())
		past.TTL = 0
		noError(t, b.Send(t.Context(), "slow", past))
		<-time.After(5 * time.Second)
		synctest.Wait()
		if handled != 1 || expired != 2 {
			t.Errorf("%d requests handled and %d expired, want 1 and 2", handled, expired)
		}
	})
}

func TestHandlerOutlivesDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &hooked{Broker: newBroker(t)}
		b.send = func(ctx context.Context, queue string, m messaging.Message) error {
			if protocol.IsReply(m) {
				t.Error("a reply was sent past the deadline")
			}
			return b.Broker.Send(ctx, queue, m)
		}
		s := serve(t, b, ServerOptions{}, "slow", func(ctx context.Context, _ *Request) (*Reply, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		c := startClient(t, b, ClientOptions{})
		if _, err := c.Do(t.Context(), &Request{Queue: "slow"}); !errors.Is(err, ErrTimeout) {
			t.Errorf("got %v, want ErrTimeout", err)
		}
		noError(t, s.Drain(t.Context()))
		wantEmpty(t, b, "slow")
	})
}

// wantEmpty checks that the queue holds no message.
func wantEmpty(t *testing.T, b messaging.Broker, queue string) {
	t.Helper()
	subscribe(t, b, queue, func(_ context.Context, m messaging.Message) error {
		t.Errorf("%s holds a message: %+v", queue, m)
		return nil
	})
	synctest.Wait()
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		release := make(chan struct{})
		slow := func(ctx context.Context, r *Request) (*Reply, error) {
			<-release
			return echo(ctx, r)
		}
		s := newTestServer(b, ServerOptions{})
		s.Handle("a", slow)
		s.Handle("b", slow)
		start(t, s)
		c := startClient(t, b, ClientOptions{})
		results := make(chan error, 4)
		call := func(queue string) {
			_, err := c.Do(t.Context(), &Request{Queue: queue})
			results <- err
		}
		go call("a")
		go call("b")
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- s.Drain(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-drained:
			t.Fatalf("drained while handlers run: %v", err)
		default:
		}
		go call("a") // too late for this server: it waits for the next
		synctest.Wait()
		close(release)
		noError(t, <-results)
		noError(t, <-results)
		noError(t, <-drained)
		synctest.Wait()
		if c.Pending() != 1 {
			t.Fatalf("%d calls are pending, want the one made during the drain", c.Pending())
		}
		serve(t, b, ServerOptions{}, "a", ok)
		noError(t, <-results)
	})
}

// A handler that the drain cuts off sends no reply: the next process gets the request.
func TestDrainRunsOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		s := newTestServer(b, ServerOptions{})
		s.Handle("slow", func(ctx context.Context, _ *Request) (*Reply, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		noError(t, s.Start(t.Context()))
		c := startClient(t, b, ClientOptions{Timeout: time.Minute})
		result := make(chan error, 1)
		go func() {
			reply, err := c.Do(t.Context(), &Request{Queue: "slow"})
			if err == nil && string(reply.Body) != "ok" {
				err = fmt.Errorf("got %+v", reply)
			}
			result <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "drain slow") {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
		serve(t, b, ServerOptions{}, "slow", ok)
		noError(t, <-result)
	})
}

// A request without ReplyTo that the drain cuts off must not be acknowledged either.
func TestDrainCutsOffRequestWithoutReplyTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		var log logBuffer
		s := newTestServer(b, ServerOptions{Logger: log.logger()})
		s.Handle("slow", func(ctx context.Context, _ *Request) (*Reply, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		noError(t, s.Start(t.Context()))
		noError(t, b.Send(t.Context(), "slow", messaging.Message{}))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantError(t, s.Drain(ctx), context.DeadlineExceeded)
		synctest.Wait()
		if log.String() != "" {
			t.Errorf("logged %s", &log)
		}
		handled := make(chan struct{}, 1)
		serve(t, b, ServerOptions{}, "slow", func(context.Context, *Request) (*Reply, error) {
			handled <- struct{}{}
			return &Reply{}, nil
		})
		<-handled
	})
}

func TestHandleAfterStart(t *testing.T) {
	b := newBroker(t)
	var log logBuffer
	s := serve(t, b, ServerOptions{Logger: log.logger()}, "early", ok)
	s.Handle("late", ok)
	if len(log.entries(t, "a method was registered after the start and is not served")) != 1 {
		t.Errorf("got the log\n%s", &log)
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
}

// awayFor is a broker that refuses replies for some time.
func awayFor(b messaging.Broker, d time.Duration) *hooked {
	back := time.Now().Add(d)
	return &hooked{Broker: b, send: func(ctx context.Context, queue string, m messaging.Message) error {
		if protocol.IsReply(m) && time.Now().Before(back) {
			return messaging.ErrUnavailable
		}
		return b.Send(ctx, queue, m)
	}}
}

func TestReplyWhileBrokerIsAway(t *testing.T) {
	tests := []struct {
		name     string
		away     time.Duration
		deadline time.Duration // 0: none
		want     bool          // whether a reply arrives
	}{
		{"back before the deadline", 3 * time.Second, 5 * time.Second, true},
		{"back after the deadline", 6 * time.Second, 5 * time.Second, false},
		{"back soon, and no deadline", 20 * time.Second, 0, true},
		{"back later, and no deadline", time.Hour, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				replies := make(chan messaging.Message, 2)
				subscribe(t, b, "replies", func(_ context.Context, m messaging.Message) error {
					replies <- m
					return nil
				})
				handled := 0
				s := serve(t, awayFor(b, test.away), ServerOptions{}, "works", func(context.Context, *Request) (*Reply, error) {
					handled++
					return &Reply{}, nil
				})
				request := messaging.Message{CorrelationID: "7", ReplyTo: "replies"}
				if test.deadline > 0 {
					r := &Request{ID: "7", Deadline: time.Now().Add(test.deadline)}
					request = protocol.Encoder{ReplyTo: "replies"}.Request(r, "secret", time.Now())
				}
				noError(t, b.Send(t.Context(), "works", request))
				synctest.Wait()
				noError(t, s.Drain(t.Context())) // in every case the request is acknowledged, in bounded time
				wantEmpty(t, b, "works")
				if handled != 1 || len(replies) == 1 != test.want {
					t.Errorf("handled %d times, %d replies; want 1, and a reply: %t", handled, len(replies), test.want)
				}
			})
		})
	}
}

// The drain runs out of time while the reply waits for the broker: the request stays in its queue.
func TestDrainEndsWhileReplyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		s := newTestServer(awayFor(b, time.Hour), ServerOptions{})
		s.Handle("works", ok)
		noError(t, s.Start(t.Context()))
		c := startClient(t, b, ClientOptions{Timeout: time.Minute})
		result := make(chan error, 1)
		go func() {
			_, err := c.Do(t.Context(), &Request{Queue: "works"})
			result <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
		serve(t, b, ServerOptions{}, "works", ok)
		noError(t, <-result)
	})
}

func TestUnroutableReply(t *testing.T) {
	b := newBroker(t)
	var log logBuffer
	unroutable := make(chan struct{}, 10)
	serve(t, b, ServerOptions{Logger: log.logger(), Observer: Observer{UnroutableReply: func() { unroutable <- struct{}{} }}}, "works", ok)
	// Another service's server on the same connection counts only its own replies.
	none := Observer{UnroutableReply: func() { t.Error("the other service counted it") }}
	serve(t, b, ServerOptions{Name: "other", Observer: none}, "other", ok)
	c := startClient(t, b, ClientOptions{})
	noError(t, b.Send(t.Context(), "works", messaging.Message{CorrelationID: "7", ReplyTo: "gone"}))
	awaittest.Receive(t, unroutable, "the return")
	_, err := c.Do(t.Context(), &Request{Queue: "works"})
	noError(t, err)
	noError(t, b.Close(stopContext(t)))
	entries := log.entries(t, "dropped a reply whose callback queue is gone")
	if len(entries) != 1 || entries[0]["level"] != "WARN" || entries[0]["queue"] != "gone" || len(unroutable) != 0 {
		t.Errorf("got the log\n%s", &log)
	}
}

func TestRequestWithoutReplyTo(t *testing.T) {
	b := &hooked{Broker: newBroker(t)}
	b.send = func(_ context.Context, queue string, _ messaging.Message) error {
		t.Errorf("something was sent to %q", queue)
		return nil
	}
	handled := make(chan struct{}, 1)
	s := serve(t, b, ServerOptions{}, "works", func(context.Context, *Request) (*Reply, error) {
		handled <- struct{}{}
		return &Reply{}, nil
	})
	noError(t, b.Publish(t.Context(), "works", messaging.Message{}))
	awaittest.Receive(t, handled, "the request")
	noError(t, s.Drain(stopContext(t)))
}

func TestMalformedRequest(t *testing.T) {
	b := newBroker(t)
	serve(t, b, ServerOptions{}, "works", func(context.Context, *Request) (*Reply, error) {
		t.Error("it was handled")
		return &Reply{}, nil
	})
	replies := make(chan messaging.Message, 1)
	dead := make(chan messaging.Message, 1)
	to := func(c chan messaging.Message) messaging.Handler {
		return func(_ context.Context, m messaging.Message) error {
			c <- m
			return nil
		}
	}
	subscribe(t, b, "replies", to(replies))
	subscribe(t, b, "works.dead", to(dead))
	m := messaging.Message{CorrelationID: "7", Headers: map[string]any{"rpc-version": 99}}
	noError(t, b.Send(t.Context(), "works", m))
	if got := awaittest.Receive(t, dead, "the dead-lettered message"); got.CorrelationID != "7" {
		t.Errorf("got %+v", got)
	}
	m.ReplyTo = "replies"
	noError(t, b.Send(t.Context(), "works", m))
	refusal := awaittest.Receive(t, replies, "the reply")
	reply, err := protocol.DecodeReply(&refusal)
	noError(t, err)
	wantProblem(t, reply, problem{Status: 400, Detail: "malformed request message", CorrelationID: "7"})
}

// TestSecretOfRequests: the correlation ID of a request's message is the caller's secret. It is in the reply's message, and
// neither in its body nor in the log.
func TestSecretOfRequests(t *testing.T) {
	const public, secret = "the-public-id", "the-secret"
	b := newBroker(t)
	var log logBuffer
	logger := log.logger()
	dropped := make(chan struct{}, 2)
	drop := func() { dropped <- struct{}{} }
	s := newTestServer(b, ServerOptions{
		Logger: logger, Interceptors: []Interceptor{Logging(logger, slog.LevelInfo)},
		Observer: Observer{UnroutableReply: drop, ExpiredRequest: drop},
	})
	s.Handle("fails", failing(errors.New("any")))
	s.Handle("refuses", failing(NotFound("any").WithCause(errors.New("any"))))
	s.Handle("panics", func(context.Context, *Request) (*Reply, error) { panic("any") })
	s.Handle("headers", func(context.Context, *Request) (*Reply, error) {
		return &Reply{Header: http.Header{"X": {strings.Repeat("x", messaging.MaxHeadersBytes)}}}, nil
	})
	start(t, s)
	replies := make(chan messaging.Message, 1)
	subscribe(t, b, "replies", func(_ context.Context, m messaging.Message) error {
		replies <- m
		return nil
	})
	send := func(queue, replyTo string, headers map[string]any) {
		m := messaging.Message{ID: public, CorrelationID: secret, ReplyTo: replyTo, Headers: headers}
		noError(t, b.Send(t.Context(), queue, m))
	}
	malformed := map[string]any{"rpc-version": 99}
	for _, queue := range []string{"fails", "refuses", "panics", "headers", "malformed"} {
		if queue == "malformed" {
			send("fails", "replies", malformed)
		} else {
			send(queue, "replies", nil)
		}
		m := awaittest.Receive(t, replies, "the reply of "+queue)
		if m.CorrelationID != secret || m.ID != public || strings.Contains(string(m.Body), secret) || !strings.Contains(string(m.Body), public) {
			t.Errorf("%s: got %+v with body %s", queue, m, m.Body)
		}
	}
	send("fails", "gone", nil)
	awaittest.Receive(t, dropped, "the returned reply")
	send("fails", "replies", map[string]any{"rpc-deadline": 1})
	awaittest.Receive(t, dropped, "the expired request")
	noError(t, s.Drain(stopContext(t)))
	noError(t, b.Close(stopContext(t)))
	for _, message := range []string{
		"request failed", "handler panicked", "replaced a reply that can't be sent", "refused a request", "rpc",
		"dropped a reply whose callback queue is gone", "dropped a request past its deadline",
	} {
		if len(log.entries(t, message)) == 0 {
			t.Errorf("%q was not logged", message)
		}
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, secret) || !strings.Contains(line, public) {
			t.Errorf("the entry should have the ID and not the secret: %s", line)
		}
	}
}

func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		var running, peak atomic.Int64
		serve(t, b, ServerOptions{Concurrency: 7}, "works", func(context.Context, *Request) (*Reply, error) {
			peak.Store(max(peak.Load(), running.Add(1)))
			<-time.After(time.Second) // of the bubble's clock
			running.Add(-1)
			return &Reply{}, nil
		}, WithConcurrency(3))
		c := startClient(t, b, ClientOptions{Timeout: time.Minute})
		results := make(chan error)
		for range 9 {
			go func() {
				_, err := c.Do(t.Context(), &Request{Queue: "works"})
				results <- err
			}()
		}
		for range 9 {
			noError(t, <-results)
		}
		if peak.Load() != 3 {
			t.Errorf("%d requests were handled at once, want 3", peak.Load())
		}
	})
}

func TestServedQueue(t *testing.T) {
	tests := []struct {
		name    string
		options ServerOptions
		want    messaging.Queue
	}{
		{"defaults", ServerOptions{}, messaging.Queue{Name: "q", Durable: true, DeadLetter: "q.dead", DeliveryLimit: 5}},
		{
			"quorum, no limit", ServerOptions{QueueType: messaging.Quorum, DeliveryLimit: -1},
			messaging.Queue{Name: "q", Durable: true, Type: messaging.Quorum, DeadLetter: "q.dead"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := &subscribed{Broker: newBroker(t)}
			serve(t, b, test.options, "q", ok)
			if b.queue != test.want || b.options.Concurrency != 64 || b.options.Prefetch != 64 || b.options.Exclusive {
				t.Errorf("got %+v %+v", b.queue, b.options)
			}
		})
	}
}

func TestRegistrationErrors(t *testing.T) {
	s := newTestServer(newBroker(t), ServerOptions{})
	s.Handle("twice", ok)
	s.Handle("twice", ok)
	s.Handle("", ok)
	s.Handle("status", ok, WithStatus(42))
	Handle(s, "tags", func(context.Context, struct {
		ID string `param:"id"`
	}) (Empty, error) {
		return Empty{}, nil
	})
	err := s.Start(t.Context())
	if err == nil {
		t.Fatal("started")
	}
	for _, want := range []string{"handle twice: it has a handler", "without a queue", "status 42", "handle tags"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %q", want, err)
		}
	}
}

func TestStartFails(t *testing.T) {
	server := inmem.NewServer()
	other, err := connect(t, server).Subscribe(t.Context(), messaging.Queue{Name: "b", Durable: true}, nil, messaging.WithExclusive())
	noError(t, err)
	defer func() { noError(t, other.Drain(t.Context())) }()
	b := connect(t, server)
	s := newTestServer(b, ServerOptions{})
	s.Handle("a", ok)
	s.Handle("b", ok)
	if err := s.Start(t.Context()); !errors.Is(err, messaging.ErrQueueInUse) || !strings.Contains(err.Error(), "serve b") {
		t.Errorf("got %v, want ErrQueueInUse", err)
	}
	// The queue that it did consume is free again.
	subscribe(t, b, "a", nil, messaging.WithExclusive())
}

// refusesB is a broker that refuses queue b while another subscription is being made.
type refusesB struct {
	messaging.Broker
	messaging.Subscription
	begun, refused chan struct{}
	drained        atomic.Bool
}

func (r *refusesB) OnReturn(func(messaging.Return)) func() { return func() {} }

func (r *refusesB) Subscribe(ctx context.Context, q messaging.Queue, _ messaging.Handler, _ ...messaging.SubscribeOption,
) (messaging.Subscription, error) {
	if q.Name == "b" {
		<-r.begun
		close(r.refused)
		return nil, messaging.ErrQueueInUse
	}
	close(r.begun)
	<-r.refused
	synctest.Wait() // until the server knows of the refusal
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return r, nil
}

func (r *refusesB) Drain(context.Context) error {
	r.drained.Store(true)
	return nil
}

// A subscription that is being made when another one fails may already run a handler. It is drained, not cancelled.
func TestStartFailsBesideAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &refusesB{begun: make(chan struct{}), refused: make(chan struct{})}
		s := newTestServer(b, ServerOptions{})
		s.Handle("a", ok)
		s.Handle("b", ok)
		if err := s.Start(t.Context()); !errors.Is(err, messaging.ErrQueueInUse) || errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want ErrQueueInUse alone", err)
		}
		if !b.drained.Load() {
			t.Error("the other subscription was not drained")
		}
	})
}

func TestStatus(t *testing.T) {
	tests := []struct {
		reply *Reply
		err   error
		want  int
	}{
		{&Reply{Status: 201}, nil, 201},
		{nil, Conflict("x"), 409},
		{nil, errors.New("x"), 500},
		{nil, nil, 500},
		{nil, fmt.Errorf("call: %w", context.Canceled), 499},
		{nil, fmt.Errorf("call: %w", ErrTimeout), 504},
		{nil, context.DeadlineExceeded, 504},
		{nil, fmt.Errorf("call: %w", messaging.ErrUnavailable), 503},
		{nil, fmt.Errorf("call: %w", received(NotFound("x"))), 500},
	}
	for _, test := range tests {
		if got := Status(test.reply, test.err); got != test.want {
			t.Errorf("%v, %v: got %d, want %d", test.reply, test.err, got, test.want)
		}
	}
}

func TestLogging(t *testing.T) {
	b := newBroker(t)
	var log logBuffer
	o := ServerOptions{Interceptors: []Interceptor{Logging(log.logger(), slog.LevelDebug)}}
	s := serve(t, b, o, "fails", failing(NotFound("no such token")))
	c := startClient(t, b, ClientOptions{})
	_, err := c.Do(t.Context(), &Request{
		Queue: "fails", ID: "7", Body: []byte("secret"), Header: http.Header{"Authorization": {"secret"}},
		Identity: &Identity{Subject: "secret"},
	})
	noError(t, err)
	noError(t, s.Drain(stopContext(t)))
	entries := log.entries(t, "rpc")
	if len(entries) != 1 {
		t.Fatalf("got the log\n%s", &log)
	}
	delete(entries[0], "time")
	delete(entries[0], "duration")
	want := map[string]any{"level": "DEBUG", "msg": "rpc", "queue": "fails", "status": 404.0, "correlation_id": "7"}
	if diff := cmp.Diff(want, entries[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWith(t *testing.T) {
	b := newBroker(t)
	errDomain := errors.New("domain")
	translated := func(err error) error {
		if errors.Is(err, errDomain) {
			return Conflict("translated")
		}
		return err
	}
	s := newTestServer(b, ServerOptions{})
	created := s.With(WithErrors(translated)).With(WithStatus(201))
	created.Handle("shared", ok)
	created.Handle("own", ok, WithStatus(202))
	created.Handle("domain", failing(fmt.Errorf("wrapped: %w", errDomain)))
	created.Handle("unknown", failing(errors.New("unknown")))
	Handle(created, "input", func(context.Context, line) (line, error) { return line{}, nil })
	Handle(created, "empty", func(context.Context, Empty) (Empty, error) { return Empty{}, nil })
	s.Handle("plain", ok)
	s.Handle("untranslated", failing(errDomain))
	start(t, s)
	c := startClient(t, b, ClientOptions{})
	for queue, want := range map[string]int{
		"shared": 201, "own": 202, "domain": 409, "unknown": 500, "input": 422, "empty": 201, "plain": 200, "untranslated": 500,
	} {
		reply, err := c.Do(t.Context(), &Request{Queue: queue})
		noError(t, err)
		if reply.Status != want {
			t.Errorf("%s: got status %d, want %d", queue, reply.Status, want)
		}
	}
}

// TestReplayIsHandled: without Replay, a dead-lettered request would be dropped because its deadline has passed.
func TestReplayIsHandled(t *testing.T) {
	b := newBroker(t)
	expired, handled := make(chan struct{}, 1), make(chan *Request, 1)
	f := func(_ context.Context, r *Request) (*Reply, error) {
		handled <- r
		return &Reply{}, nil
	}
	serve(t, b, ServerOptions{Observer: Observer{ExpiredRequest: func() { expired <- struct{}{} }}}, "orders.create", f)
	request := shopRequest()
	request.Deadline = time.Now().Add(-time.Minute)
	m := protocol.Encoder{ReplyTo: "gateway.rpc.response", Persistent: true}.Request(request, "secret", time.Now())
	m.TTL = 0
	noError(t, b.Publish(t.Context(), "orders.create", m))
	awaittest.Receive(t, expired, "the request to be dropped")
	dead := deadletter.Mark(m, "orders.create", deadletter.ReasonDeliveryLimit, time.Now())
	noError(t, b.Publish(t.Context(), "orders.create", protocol.Replay(deadletter.Revive(dead))))
	want := shopRequest()
	want.Deadline = time.Time{}
	if diff := cmp.Diff(want, awaittest.Receive(t, handled, "the request")); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

// A handler sees its message if the server keeps it, and never the secret in it.
func TestMessageFrom(t *testing.T) {
	for _, keep := range []bool{false, true} {
		messages := make(chan messaging.Message, 1)
		b := newBroker(t)
		serve(t, b, ServerOptions{KeepMessages: keep}, "orders.get", func(ctx context.Context, _ *Request) (*Reply, error) {
			messages <- MessageFrom(ctx)
			return &Reply{}, nil
		})
		_, err := startClient(t, b, ClientOptions{Name: "gateway"}).Do(t.Context(), &Request{Queue: "orders.get", ID: "1"})
		noError(t, err)
		m := awaittest.Receive(t, messages, "the message")
		if kept := m.ID == "1" && m.ReplyTo == "gateway.rpc.response"; kept != keep || m.CorrelationID != "" {
			t.Errorf("with KeepMessages %t, the message is %+v", keep, m)
		}
	}
	if m := MessageFrom(t.Context()); m.ID != "" {
		t.Errorf("outside a handler, the message is %+v", m)
	}
}
