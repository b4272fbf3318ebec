package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/driver"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc/protocol"
)

// load makes calls from 256 goroutines, and checks that each gets its own body back.
func load(t *testing.T, c *Client, calls int64) {
	t.Helper()
	var next atomic.Int64
	var failures atomic.Int64
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			for n := next.Add(1); n <= calls; n = next.Add(1) {
				body := strconv.FormatInt(n, 10)
				reply, err := c.Do(t.Context(), &Request{Queue: "echo", Body: []byte(body)})
				if err != nil || string(reply.Body) != body {
					failures.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if failures.Load() > 0 {
		t.Errorf("%d of %d calls failed", failures.Load(), calls)
	}
	if n := c.Pending(); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

// TestReplyBeforeSendReturns: a client that registered the call after Send would lose every reply.
func TestReplyBeforeSendReturns(t *testing.T) {
	var c *Client
	b := &hooked{Broker: newBroker(t)}
	b.ensure = func(context.Context, messaging.Queue) error { return nil }
	b.send = func(ctx context.Context, _ string, m messaging.Message) error {
		return c.receive(ctx, messaging.Message{CorrelationID: m.CorrelationID, Body: m.Body})
	}
	c = startClient(t, b, ClientOptions{Observer: Observer{OrphanReply: func() { t.Error("orphan reply") }}, Timeout: testTimeout})
	load(t, c, 100_000)
}

func TestManyCalls(t *testing.T) {
	b := newBroker(t)
	serve(t, b, ServerOptions{}, "echo", echo)
	c := startClient(t, b, ClientOptions{Observer: Observer{OrphanReply: func() { t.Error("orphan reply") }}, Timeout: testTimeout})
	load(t, c, 20_000)
}

func TestRequestMessage(t *testing.T) {
	b := newBroker(t)
	requests := make(chan messaging.Message, 1)
	subscribe(t, b, "orders.get", func(ctx context.Context, m messaging.Message) error {
		requests <- m
		return b.Send(ctx, m.ReplyTo, messaging.Message{CorrelationID: m.CorrelationID})
	})
	c := startClient(t, b, ClientOptions{Name: "gateway", Persistent: true})
	_, err := c.Do(t.Context(), &Request{Queue: "orders.get"})
	noError(t, err)
	m := awaittest.Receive(t, requests, "the request")
	if !protocol.IsRequest(m) || m.Type != "" || m.AppID != "" || m.ReplyTo != "gateway.rpc.response" || !m.Persistent {
		t.Errorf("got %+v", m)
	}
	for _, s := range []string{m.ID, m.CorrelationID} {
		if id, err := uuid.Parse(s); err != nil || id.Version() != 4 || m.ID == m.CorrelationID {
			t.Errorf("correlation id %q, id %q: want two UUIDs v4", m.CorrelationID, m.ID)
		}
	}
	if m.TTL <= 4*time.Second || m.TTL > 5*time.Second {
		t.Errorf("TTL %s, want what is left of 5s", m.TTL)
	}
}

// TestPlainReplier: a service that follows RabbitMQ's RPC tutorial can be called.
func TestPlainReplier(t *testing.T) {
	b := newBroker(t)
	subscribe(t, b, "fib", func(ctx context.Context, m messaging.Message) error {
		return b.Send(ctx, m.ReplyTo, messaging.Message{CorrelationID: m.CorrelationID, ContentType: "text/plain", Body: []byte("55")})
	})
	c := startClient(t, b, ClientOptions{})
	reply, err := c.Do(t.Context(), &Request{Queue: "fib", Body: []byte("10")})
	noError(t, err)
	if reply.Status != 200 || reply.ContentType != "text/plain" || string(reply.Body) != "55" {
		t.Errorf("got %+v", reply)
	}
}

// TestServiceComesUpLater: a queue without a consumer keeps the request until its service comes up.
func TestServiceComesUpLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		c := startClient(t, b, ClientOptions{})
		result := make(chan error, 1)
		go func() {
			_, err := c.Do(t.Context(), &Request{Queue: "late"})
			result <- err
		}()
		<-time.After(4 * time.Second) // of the bubble's clock
		serve(t, b, ServerOptions{}, "late", ok)
		noError(t, <-result)
	})
}

func TestUnknownAndDuplicateReplies(t *testing.T) {
	b := newBroker(t)
	var log logBuffer
	orphans := make(chan struct{}, 10)
	c := startClient(t, b, ClientOptions{Observer: Observer{OrphanReply: func() { orphans <- struct{}{} }}, Logger: log.logger()})
	subscribe(t, b, "twice", func(ctx context.Context, m messaging.Message) error {
		for _, body := range []string{"first", "second"} {
			if err := b.Send(ctx, m.ReplyTo, messaging.Message{CorrelationID: m.CorrelationID, Body: []byte(body)}); err != nil {
				return err
			}
		}
		return nil
	})
	noError(t, b.Send(t.Context(), "caller.rpc.response", messaging.Message{CorrelationID: "made up"}))
	noError(t, b.Send(t.Context(), "caller.rpc.response", messaging.Message{}))
	awaittest.Receive(t, orphans, "the reply with a made-up id")
	awaittest.Receive(t, orphans, "the reply without an id")
	for range 3 {
		reply, err := c.Do(t.Context(), &Request{Queue: "twice"})
		noError(t, err)
		if string(reply.Body) != "first" {
			t.Errorf("got the %s reply", reply.Body)
		}
		awaittest.Receive(t, orphans, "the duplicate")
	}
	noError(t, c.Close(stopContext(t))) // so that all is logged
	if n := len(log.entries(t, "dropped a reply")); n != 5 {
		t.Errorf("%d replies logged, want 5", n)
	}
}

// TestForgedReplies: any user that knows a correlation ID can publish a reply, and only the called service's counts.
func TestForgedReplies(t *testing.T) {
	server := inmem.NewServer()
	var log logBuffer
	forged := make(chan struct{}, 10)
	c := startClient(t, connect(t, server), ClientOptions{
		VerifyReplies: true,
		Observer: Observer{
			ForgedReply: func() { forged <- struct{}{} },
			OrphanReply: func() { t.Error("orphan reply") },
		},
		Logger: log.logger(),
	})
	orders := server.ConnectAs("orders")
	t.Cleanup(func() { noError(t, orders.Close(stopContext(t))) })
	others := []*inmem.Broker{connect(t, server)}
	for _, user := range []string{"access-control", "ORDERS", "orders.get"} {
		others = append(others, server.ConnectAs(user))
	}
	var secret string
	subscribe(t, orders, "orders.get", func(ctx context.Context, m messaging.Message) error {
		secret = m.CorrelationID
		reply := messaging.Message{CorrelationID: secret, AppID: "orders", UserID: "orders", Body: []byte("forged")}
		for _, other := range others {
			noError(t, other.Send(ctx, m.ReplyTo, reply))
			awaittest.Receive(t, forged, "the forged reply")
		}
		reply.Body = []byte("genuine")
		return orders.Send(ctx, m.ReplyTo, reply)
	})
	reply, err := c.Do(t.Context(), &Request{Queue: "orders.get", ID: "public"})
	noError(t, err)
	if string(reply.Body) != "genuine" {
		t.Errorf("got the %s reply", reply.Body)
	}
	if n := len(log.entries(t, "dropped a reply")); n != len(others) || strings.Count(log.String(), "call public of orders.get") != n {
		t.Errorf("%d replies logged, want %d that name the call:\n%s", n, len(others), &log)
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("logged the secret %s:\n%s", secret, &log)
	}
}

// TestLaunderedReplies: another service knows everything about a call but its secret. It may make the called service send what
// it likes to the callback queue: an honest reply to another question, or a message that the service only moves.
func TestLaunderedReplies(t *testing.T) {
	server := inmem.NewServer()
	orphans := make(chan struct{}, 10)
	var log logBuffer
	b := &hooked{Broker: connect(t, server)}
	secrets := make(chan string, 1)
	b.send = func(ctx context.Context, queue string, m messaging.Message) error {
		secrets <- m.CorrelationID
		return b.Broker.Send(ctx, queue, m)
	}
	c := startClient(t, b, ClientOptions{
		VerifyReplies: true,
		Observer: Observer{
			OrphanReply: func() { orphans <- struct{}{} },
			ForgedReply: func() { t.Error("the broker vouches for orders") },
		},
		Logger: log.logger(),
	})
	orders, thief := server.ConnectAs("orders"), server.ConnectAs("access-control")
	for _, broker := range []*inmem.Broker{orders, thief} {
		t.Cleanup(func() { noError(t, broker.Close(stopContext(t))) })
	}
	serve(t, orders, ServerOptions{}, "orders.echo", echo)
	serve(t, orders, ServerOptions{}, "orders.get", func(ctx context.Context, r *Request) (*Reply, error) {
		for _, known := range []string{r.ID, r.CorrelationID, ""} {
			forged := messaging.Message{ID: r.ID, CorrelationID: known, ReplyTo: "caller.rpc.response", Body: []byte("forged")}
			noError(t, thief.Send(ctx, "orders.echo", forged))
			awaittest.Receive(t, orphans, "the honest reply to another question")
			noError(t, orders.Send(ctx, forged.ReplyTo, forged))
			awaittest.Receive(t, orphans, "the message that orders moved")
		}
		return &Reply{Body: []byte("genuine")}, nil
	})
	reply, err := c.Do(t.Context(), &Request{Queue: "orders.get", ID: "public"})
	noError(t, err)
	if string(reply.Body) != "genuine" {
		t.Errorf("got the %s reply", reply.Body)
	}
	if secret := <-secrets; strings.Contains(log.String(), secret) || !strings.Contains(log.String(), "public") {
		t.Errorf("the log should hold the ID and not the secret %s:\n%s", secret, &log)
	}
}

// A caller may send a request with the ID of another one, which is still pending. Each gets its own reply.
func TestSameID(t *testing.T) {
	b := newBroker(t)
	release := make(chan struct{})
	serve(t, b, ServerOptions{}, "echo", func(ctx context.Context, r *Request) (*Reply, error) {
		if string(r.Body) == "first" {
			<-release
		}
		return echo(ctx, r)
	})
	c := startClient(t, b, ClientOptions{})
	first := make(chan *Reply, 1)
	go func() {
		reply, _ := c.Do(t.Context(), &Request{Queue: "echo", ID: "1", Body: []byte("first")})
		first <- reply
	}()
	second, err := c.Do(t.Context(), &Request{Queue: "echo", ID: "1", Body: []byte("second")})
	noError(t, err)
	close(release)
	if reply := awaittest.Receive(t, first, "the first reply"); string(reply.Body) != "first" || string(second.Body) != "second" {
		t.Errorf("got %+v and %+v", reply, second)
	}
}

func TestMalformedReply(t *testing.T) {
	b := newBroker(t)
	c := startClient(t, b, ClientOptions{})
	subscribe(t, b, "odd", func(ctx context.Context, m messaging.Message) error {
		return b.Send(ctx, m.ReplyTo, messaging.Message{
			CorrelationID: m.CorrelationID, Headers: map[string]any{"rpc-version": 1, "rpc-status": "fine"},
		})
	})
	_, err := c.Do(t.Context(), &Request{Queue: "odd"})
	if !errors.Is(err, ErrMalformedReply) || !strings.Contains(err.Error(), "call odd") {
		t.Errorf("got %v", err)
	}
}

func TestTimeouts(t *testing.T) {
	inAMinute := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		t.Cleanup(cancel)
		return ctx
	}
	inASecond := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		t.Cleanup(cancel)
		return ctx
	}
	tests := []struct {
		name     string
		ctx      func(t *testing.T) context.Context
		deadline time.Duration // of the request; 0: none
		want     time.Duration
	}{
		{"the client's", (*testing.T).Context, 0, 5 * time.Second},
		{"the client's before the context's", inAMinute, 0, 5 * time.Second},
		{"the context's before the client's", inASecond, 0, time.Second},
		{"the request's after the client's", (*testing.T).Context, 20 * time.Second, 20 * time.Second},
		{"the context's before the request's", inASecond, 20 * time.Second, time.Second},
		{"the request's in the past", (*testing.T).Context, -time.Second, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startClient(t, newBroker(t), ClientOptions{})
				request := &Request{Queue: "hangs"}
				if test.deadline != 0 {
					request.Deadline = time.Now().Add(test.deadline)
				}
				began := time.Now()
				_, err := c.Do(test.ctx(t), request)
				if !errors.Is(err, ErrTimeout) || errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want ErrTimeout", err)
				}
				if took := time.Since(began); took != test.want {
					t.Errorf("took %s, want %s", took, test.want)
				}
				if c.Pending() != 0 {
					t.Error("the call is still registered")
				}
			})
		})
	}
}

// After a call without a reply, the next one looks whether the queue is still there. A call that its caller cancels, and one
// that was not sent, say nothing of the queue.
func TestTimeoutForgetsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var forgotten []string
		b := &hooked{Broker: newBroker(t), forget: func(queue string) { forgotten = append(forgotten, queue) }}
		c := startClient(t, b, ClientOptions{})
		_, err := c.Do(t.Context(), &Request{Queue: "hangs"})
		wantError(t, err, ErrTimeout)
		_, err = c.Do(t.Context(), &Request{Queue: "late", Deadline: time.Now()})
		wantError(t, err, ErrTimeout)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = c.Do(ctx, &Request{Queue: "cancelled"})
		wantError(t, err, context.Canceled)
		if want := []string{"hangs"}; !slices.Equal(forgotten, want) {
			t.Errorf("forgot %v, want %v", forgotten, want)
		}
	})
}

// A handler's call ends before the handler's deadline, so that the handler can still reply, unless it asked for a call that may
// outlive its request.
func TestNestedTimeouts(t *testing.T) {
	within := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
	}
	whole := within(time.Hour) // no limit besides the handler's own
	detached := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	}
	tests := map[string]struct {
		derive  func(context.Context) (context.Context, context.CancelFunc)
		options []CallOption
		calls   int
		want    time.Duration // from the handler's start, which has 10 s
	}{
		"the handler's context":      {whole, nil, 1, 9 * time.Second},
		"two calls":                  {whole, nil, 2, 9 * time.Second},
		"a shorter context":          {within(2 * time.Second), nil, 1, 2 * time.Second},
		"a hardly shorter context":   {within(9500 * time.Millisecond), nil, 1, 9 * time.Second},
		"a shorter call":             {whole, []CallOption{WithTimeout(time.Second)}, 1, time.Second},
		"two shorter calls":          {whole, []CallOption{WithTimeout(time.Second)}, 2, 2 * time.Second},
		"a longer call":              {whole, []CallOption{WithTimeout(time.Hour)}, 1, 9 * time.Second},
		"a call outside the request": {detached, nil, 1, 15 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				c := startClient(t, b, ClientOptions{Timeout: time.Minute})
				took := make(chan time.Duration, 1)
				serve(t, b, ServerOptions{}, "outer", func(ctx context.Context, _ *Request) (*Reply, error) {
					began := time.Now()
					derived, cancel := test.derive(ctx)
					defer cancel()
					var err error
					for range test.calls {
						_, err = Call[Empty, Empty](derived, c, "away", Empty{}, test.options...)
						wantError(t, err, ErrTimeout)
					}
					took <- time.Since(began)
					return nil, err
				})
				reply, err := c.Do(t.Context(), &Request{Queue: "outer", ID: "7", Deadline: time.Now().Add(10 * time.Second)})
				if got := <-took; got != test.want {
					t.Errorf("took %s, want %s", got, test.want)
				}
				if test.want < 10*time.Second {
					noError(t, err)
					wantProblem(t, reply, problem{Status: 504, Detail: "the service took too long", CorrelationID: "7"})
				}
			})
		})
	}
}

func TestCancelledCaller(t *testing.T) {
	b := newBroker(t)
	c := startClient(t, b, ClientOptions{})
	arrived := make(chan struct{})
	subscribe(t, b, "hangs", func(context.Context, messaging.Message) error {
		close(arrived)
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := c.Do(ctx, &Request{Queue: "hangs"})
		result <- err
	}()
	awaittest.Receive(t, arrived, "the request")
	if c.Pending() != 1 {
		t.Errorf("%d calls are pending, want 1", c.Pending())
	}
	cancel()
	if err := awaittest.Receive(t, result, "the cancelled call"); !errors.Is(err, context.Canceled) || errors.Is(err, ErrTimeout) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if c.Pending() != 0 {
		t.Error("the call is still registered")
	}
	if _, err := c.Do(ctx, &Request{Queue: "never"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v from an ended context", err)
	}
}

func TestLateReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		orphans := 0
		c := startClient(t, b, ClientOptions{Observer: Observer{OrphanReply: func() { orphans++ }}})
		subscribe(t, b, "slow", func(ctx context.Context, m messaging.Message) error {
			<-time.After(6 * time.Second) // of the bubble's clock
			return b.Send(ctx, m.ReplyTo, messaging.Message{CorrelationID: m.CorrelationID})
		})
		if _, err := c.Do(t.Context(), &Request{Queue: "slow"}); !errors.Is(err, ErrTimeout) {
			t.Errorf("got %v, want ErrTimeout", err)
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if orphans != 1 {
			t.Errorf("%d orphan replies, want 1", orphans)
		}
	})
}

func TestPendingBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startClient(t, newBroker(t), ClientOptions{MaxPending: 3, MaxPendingPerQueue: 2})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		occupy := func(queue string) {
			wg.Go(func() {
				if _, err := c.Do(ctx, &Request{Queue: queue}); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want context.Canceled", err)
				}
			})
			synctest.Wait()
		}
		refused := func(queue, why string) {
			t.Helper()
			_, err := c.Do(ctx, &Request{Queue: queue})
			if !errors.Is(err, ErrTooManyPending) || !strings.Contains(err.Error(), "call "+queue) || !strings.Contains(err.Error(), why) {
				t.Errorf("call %s: got %v, want ErrTooManyPending: %s", queue, err, why)
			}
		}
		occupy("a")
		occupy("a")
		refused("a", "2 on this queue")
		occupy("b")
		refused("b", "3 in all")
		refused("c", "3 in all")
		cancel()
		wg.Wait()
		if c.Pending() != 0 || len(c.pending.perQueue) != 0 {
			t.Errorf("%d calls are left, %d queues", c.Pending(), len(c.pending.perQueue))
		}
	})
}

func TestBrokerAway(t *testing.T) {
	server := inmem.NewServer()
	c := startClient(t, connect(t, server), ClientOptions{})
	server.SetAvailable(false)
	_, err := c.Do(t.Context(), &Request{Queue: "any"})
	if !errors.Is(err, messaging.ErrUnavailable) || c.Pending() != 0 {
		t.Errorf("got %v with %d calls pending, want ErrUnavailable and none", err, c.Pending())
	}
	server.SetAvailable(true)
}

func TestSendFails(t *testing.T) {
	b := &hooked{Broker: newBroker(t)}
	b.send = func(context.Context, string, messaging.Message) error { return messaging.ErrUnavailable }
	c := startClient(t, b, ClientOptions{})
	_, err := c.Do(t.Context(), &Request{Queue: "any"})
	if !errors.Is(err, messaging.ErrUnavailable) || c.Pending() != 0 {
		t.Errorf("got %v with %d calls pending, want ErrUnavailable and none", err, c.Pending())
	}
}

// The connection is lost after the request was sent, and the reply arrives after it is back.
func TestConnectionLostWhileWaiting(t *testing.T) {
	server := inmem.NewServer()
	c := startClient(t, connect(t, server), ClientOptions{Timeout: testTimeout})
	service := connect(t, server)
	arrived := make(chan struct{}, 2)
	release := make(chan struct{})
	subscribe(t, service, "slow", func(ctx context.Context, m messaging.Message) error {
		arrived <- struct{}{}
		<-release
		return service.Send(ctx, m.ReplyTo, messaging.Message{CorrelationID: m.CorrelationID})
	})
	result := make(chan error, 1)
	go func() {
		_, err := c.Do(t.Context(), &Request{Queue: "slow"})
		result <- err
	}()
	awaittest.Receive(t, arrived, "the request")
	server.SetAvailable(false)
	server.SetAvailable(true)
	if c.Pending() != 1 {
		t.Errorf("%d calls are pending, want 1", c.Pending())
	}
	close(release)
	noError(t, awaittest.Receive(t, result, "the reply"))
}

// The broker accepts the requests of the first connection and loses them.
func TestLostRequestIsSentAgain(t *testing.T) {
	server := inmem.NewServer()
	lossy := &hooked{Broker: connect(t, server)}
	var connection atomic.Int32
	sent := make(chan messaging.Message, 10)
	lossy.send = func(ctx context.Context, queue string, m messaging.Message) error {
		sent <- m
		if connection.Load() == 0 {
			return nil
		}
		return lossy.Broker.Send(ctx, queue, m)
	}
	serve(t, connect(t, server), ServerOptions{}, "echo", echo)
	var resent atomic.Int32
	c := startClient(t, lossy, ClientOptions{Observer: Observer{ResentRequest: func(context.Context) { resent.Add(1) }}, Timeout: testTimeout})
	results := make(chan error, 2)
	once, giveUp := context.WithCancel(t.Context())
	for ctx, request := range map[context.Context]*Request{
		t.Context(): {Queue: "echo", Body: []byte("again"), Idempotent: true},
		once:        {Queue: "echo", Body: []byte("once")},
	} {
		go func() {
			_, err := c.Do(ctx, request)
			results <- err
		}()
	}
	first := map[string]messaging.Message{}
	for range 2 {
		m := awaittest.Receive(t, sent, "the request")
		first[string(m.Body)] = m
	}
	connection.Store(1)
	server.SetAvailable(false)
	server.SetAvailable(true)

	again := awaittest.Receive(t, sent, "the request once more")
	if string(again.Body) != "again" || again.CorrelationID != first["again"].CorrelationID || again.TTL > first["again"].TTL {
		t.Errorf("sent %+v, then %+v", first["again"], again)
	}
	noError(t, awaittest.Receive(t, results, "the reply"))
	giveUp()
	wantError(t, awaittest.Receive(t, results, "the end of the other call"), context.Canceled)
	if n := resent.Load(); n != 1 || len(sent) > 0 {
		t.Errorf("%d requests sent again and %d more, want 1 and none", n, len(sent))
	}
}

// A resend that fails because the broker is away does not end the call: the first request may have arrived.
func TestResendWhileAway(t *testing.T) {
	server := inmem.NewServer()
	flaky := &hooked{Broker: connect(t, server)}
	sends := make(chan int32, 10)
	var count atomic.Int32
	flaky.send = func(ctx context.Context, queue string, m messaging.Message) error {
		n := count.Add(1)
		defer func() { sends <- n }()
		switch n {
		case 1:
			return nil
		case 2:
			return messaging.ErrUnavailable
		default:
			return flaky.Broker.Send(ctx, queue, m)
		}
	}
	serve(t, connect(t, server), ServerOptions{}, "echo", echo)
	c := startClient(t, flaky, ClientOptions{Timeout: testTimeout})
	result := make(chan error, 1)
	go func() {
		_, err := Call[Empty, Empty](t.Context(), c, "echo", Empty{}, WithIdempotent())
		result <- err
	}()
	awaittest.Receive(t, sends, "the request")
	for range 2 {
		server.SetAvailable(false)
		server.SetAvailable(true)
		awaittest.Receive(t, sends, "the request once more")
	}
	noError(t, awaittest.Receive(t, result, "the reply"))
}

// The broker closed the connection over the request: what was sent once is known to be too large when it is sent again.
func TestResendIsRefused(t *testing.T) {
	server := inmem.NewServer()
	refusing := &hooked{Broker: connect(t, server)}
	sends := make(chan struct{}, 10)
	refusing.send = func(context.Context, string, messaging.Message) error {
		sends <- struct{}{}
		if len(sends) == 1 {
			return nil
		}
		return fmt.Errorf("send: %w", messaging.ErrBodyTooLarge)
	}
	c := startClient(t, refusing, ClientOptions{Timeout: time.Hour})
	result := make(chan error, 1)
	go func() {
		_, err := c.Do(t.Context(), &Request{Queue: "echo", Idempotent: true})
		result <- err
	}()
	awaittest.Success(t, "the request sent", func(context.Context) error {
		if len(sends) == 0 {
			return errors.New("not sent")
		}
		return nil
	})
	server.SetAvailable(false)
	server.SetAvailable(true)
	wantError(t, awaittest.Receive(t, result, "the end of the call"), messaging.ErrBodyTooLarge)
	if len(sends) != 2 || c.Pending() != 0 {
		t.Errorf("sent %d times, %d calls pending; want 2 and none", len(sends), c.Pending())
	}
}

// A reply to the first request counts even if the second can't be sent before the deadline.
func TestReplyDuringResend(t *testing.T) {
	server := inmem.NewServer()
	slow := &hooked{Broker: connect(t, server)}
	var count atomic.Int32
	sends := make(chan struct{}, 10)
	slow.send = func(ctx context.Context, _ string, m messaging.Message) error {
		sends <- struct{}{}
		if count.Add(1) == 1 {
			return nil
		}
		reply := messaging.Message{CorrelationID: m.CorrelationID, Body: []byte("first")}
		if err := slow.Broker.Send(ctx, m.ReplyTo, reply); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	c := startClient(t, slow, ClientOptions{Timeout: 2 * time.Second})
	result := make(chan string, 1)
	go func() {
		reply, err := c.Do(t.Context(), &Request{Queue: "echo", Idempotent: true})
		if err != nil {
			result <- err.Error()
			return
		}
		result <- string(reply.Body)
	}()
	awaittest.Receive(t, sends, "the request")
	server.SetAvailable(false)
	server.SetAvailable(true)
	awaittest.Receive(t, sends, "the request once more")
	if got := awaittest.Receive(t, result, "the reply"); got != "first" {
		t.Errorf("got %s", got)
	}
}

// A connection that is lost repeatedly must not multiply the requests.
func TestResendsAreBounded(t *testing.T) {
	server := inmem.NewServer()
	lossy := &hooked{Broker: connect(t, server)}
	sent := make(chan struct{}, 100)
	lossy.send = func(context.Context, string, messaging.Message) error {
		sent <- struct{}{}
		return nil
	}
	c := startClient(t, lossy, ClientOptions{Timeout: testTimeout})
	ctx, giveUp := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := c.Do(ctx, &Request{Queue: "echo", Idempotent: true})
		result <- err
	}()
	awaittest.Receive(t, sent, "the request")
	for range maxResends {
		server.SetAvailable(false)
		server.SetAvailable(true)
		awaittest.Receive(t, sent, "the request once more")
	}
	server.SetAvailable(false)
	server.SetAvailable(true)
	giveUp()
	wantError(t, awaittest.Receive(t, result, "the end of the call"), context.Canceled)
	if n := len(sent); n > 0 {
		t.Errorf("sent %d times more than %d", n, maxResends)
	}
}

// The broker remembers a queue that was deleted in the meantime.
func TestReturnedRequestIsSentAgain(t *testing.T) {
	b := &hooked{Broker: newBroker(t)}
	ensured := 0
	b.ensure = func(context.Context, messaging.Queue) error {
		ensured++
		if ensured == 2 {
			serve(t, b.Broker, ServerOptions{}, "deleted", ok)
		}
		return nil
	}
	c := startClient(t, b, ClientOptions{Timeout: testTimeout})
	reply, err := c.Do(t.Context(), &Request{Queue: "deleted"})
	noError(t, err)
	if string(reply.Body) != "ok" || ensured != 2 {
		t.Errorf("got %+v after %d times, want 2", reply, ensured)
	}
}

func TestRequestReturnedTwice(t *testing.T) {
	b := &hooked{Broker: newBroker(t)}
	sent := 0
	b.ensure = func(context.Context, messaging.Queue) error { return nil }
	b.send = func(ctx context.Context, queue string, m messaging.Message) error {
		sent++
		return b.Broker.Send(ctx, queue, m)
	}
	c := startClient(t, b, ClientOptions{Timeout: testTimeout})
	_, err := c.Do(t.Context(), &Request{Queue: "forbidden"})
	if !errors.Is(err, messaging.ErrUnroutable) || sent != 2 || c.Pending() != 0 {
		t.Errorf("got %v after %d times, with %d calls pending; want ErrUnroutable after 2, and none", err, sent, c.Pending())
	}
}

func TestCallbackQueueInUse(t *testing.T) {
	server := inmem.NewServer()
	startClient(t, connect(t, server), ClientOptions{Name: "gateway"})
	second := NewClient(connect(t, server), ClientOptions{Name: "gateway"})
	err := second.Start(t.Context())
	if !errors.Is(err, messaging.ErrQueueInUse) || !strings.Contains(err.Error(), "gateway.rpc.response") {
		t.Errorf("got %v, want ErrQueueInUse", err)
	}
	if _, err := second.Do(t.Context(), &Request{Queue: "any"}); err == nil {
		t.Error("a client that did not start made a call")
	}
	noError(t, second.Close(t.Context()))
}

func TestInstances(t *testing.T) {
	server := inmem.NewServer()
	serve(t, connect(t, server), ServerOptions{}, "echo", echo)
	start := func(instance string) *Client {
		return startClient(t, connect(t, server), ClientOptions{
			Name: "gateway", Instance: instance, Timeout: testTimeout,
			Observer: Observer{OrphanReply: func() { t.Error("orphan reply") }},
		})
	}
	clients := []*Client{start("a"), start("b")}
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			body := strconv.Itoa(i)
			reply, err := clients[i%2].Do(t.Context(), &Request{Queue: "echo", Body: []byte(body)})
			if err != nil || string(reply.Body) != body {
				t.Errorf("call %d: got %v, %v", i, reply, err)
			}
		})
	}
	wg.Wait()
}

func TestCallbackQueue(t *testing.T) {
	tests := []struct {
		options ClientOptions
		want    messaging.Queue
	}{
		{ClientOptions{Name: "gateway"}, messaging.Queue{Name: "gateway.rpc.response", Durable: true}},

		{
			ClientOptions{Name: "gateway", Instance: "pod-1"},
			messaging.Queue{Name: "gateway.rpc.response.pod-1", Durable: true, Expiry: 30 * time.Minute},
		},
	}
	for _, test := range tests {
		t.Run(test.want.Name, func(t *testing.T) {
			b := &subscribed{Broker: newBroker(t)}
			startClient(t, b, test.options)
			want := driver.ResolveSubscribeOptions(messaging.WithPrefetch(1000), messaging.WithConcurrency(1), messaging.WithExclusive())
			if b.queue != test.want || b.options != want {
				t.Errorf("got %+v %+v", b.queue, b.options)
			}
		})
	}
}

// TestCallbackQueueAway calls while no reply can arrive. Nothing may be sent: the caller could not learn what became of it.
func TestCallbackQueueAway(t *testing.T) {
	b := &hooked{Broker: newBroker(t)}
	b.send = func(context.Context, string, messaging.Message) error {
		t.Error("sent a request")
		return nil
	}
	b.await = func(context.Context) error { return fmt.Errorf("%w: its node is down", messaging.ErrUnavailable) }
	c := startClient(t, b, ClientOptions{Timeout: testTimeout})
	_, err := c.Do(t.Context(), &Request{Queue: "orders.get", Idempotent: true})
	wantError(t, err, messaging.ErrUnavailable)
	if n := c.Pending(); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

// subscribed is a broker that remembers the last subscription.
type subscribed struct {
	messaging.Broker
	queue   messaging.Queue
	options driver.SubscribeOptions
}

func (s *subscribed) Subscribe(ctx context.Context, q messaging.Queue, h messaging.Handler,
	options ...messaging.SubscribeOption) (messaging.Subscription, error) {
	s.queue, s.options = q, driver.ResolveSubscribeOptions(options...)
	return s.Broker.Subscribe(ctx, q, h, options...)
}

func TestCloseWaitsForReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		release := make(chan struct{})
		serve(t, b, ServerOptions{}, "slow", func(ctx context.Context, r *Request) (*Reply, error) {
			<-release
			return ok(ctx, r)
		})
		c := startClient(t, b, ClientOptions{})
		result := make(chan error, 1)
		go func() {
			_, err := c.Do(t.Context(), &Request{Queue: "slow"})
			result <- err
		}()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- c.Close(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Fatalf("closed with a call pending: %v", err)
		default:
		}
		if _, err := c.Do(t.Context(), &Request{Queue: "slow"}); !errors.Is(err, ErrClosed) {
			t.Errorf("a call while closing: got %v, want ErrClosed", err)
		}
		close(release)
		noError(t, <-result)
		noError(t, <-closed)
	})
}

func TestCloseRunsOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startClient(t, newBroker(t), ClientOptions{Timeout: time.Hour})
		result := make(chan error, 1)
		go func() {
			_, err := c.Do(t.Context(), &Request{Queue: "hangs"})
			result <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		closed := make(chan error, 1)
		go func() { closed <- c.Close(ctx) }()
		if err := <-result; !errors.Is(err, ErrClosed) {
			t.Errorf("the call that was left: got %v, want ErrClosed", err)
		}
		if err := <-closed; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 replies") {
			t.Errorf("close: got %v", err)
		}
	})
}

// The client does not change the caller's request. Interceptors see it complete, the first one outermost.
func TestClientInterceptors(t *testing.T) {
	var seen []string
	note := func(name string) Interceptor {
		return func(next Func) Func {
			return func(ctx context.Context, r *Request) (*Reply, error) {
				if r.ID == "" || r.Deadline.IsZero() {
					t.Errorf("%s saw an incomplete request: %+v", name, r)
				}
				reply, err := next(ctx, r)
				seen = append(seen, fmt.Sprint(name, " ", Status(reply, err)))
				return reply, err
			}
		}
	}
	b := newBroker(t)
	serve(t, b, ServerOptions{}, "ok", ok)
	c := startClient(t, b, ClientOptions{Interceptors: []Interceptor{note("outer"), note("inner")}})
	request := &Request{Queue: "ok"}
	_, err := c.Do(t.Context(), request)
	noError(t, err)
	if got := strings.Join(seen, ", "); got != "inner 200, outer 200" {
		t.Errorf("got %s", got)
	}
	if request.ID != "" || !request.Deadline.IsZero() {
		t.Errorf("the caller's request was changed: %+v", request)
	}
}

func TestTemporaryCallbackQueue(t *testing.T) {
	server := inmem.NewServer()
	c := NewClient(connect(t, server), ClientOptions{Name: "tool", Instance: "1", Temporary: true})
	noError(t, c.Start(t.Context()))
	browser := server.Browse()
	defer browser.Close()
	cursor, err := browser.Open(t.Context(), "tool.rpc.response.1")
	noError(t, err)
	noError(t, cursor.Close(t.Context()))
	noError(t, c.Close(stopContext(t)))
	if _, err := browser.Open(t.Context(), "tool.rpc.response.1"); !errors.Is(err, deadletter.ErrNoQueue) {
		t.Errorf("open the callback queue: %v, want ErrNoQueue", err)
	}
}
