package inmem_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
)

var errHandler = errors.New("the handler failed")

// inBubble runs a test in a synctest bubble, with one connection to a new server.
func inBubble(t *testing.T, test func(t *testing.T, server *inmem.Server, b *inmem.Broker)) {
	synctest.Test(t, func(t *testing.T) {
		server := inmem.NewServer()
		b := server.Connect()
		test(t, server, b)
		server.SetAvailable(true)
		if err := b.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func newQueue(name string) messaging.Queue { return messaging.Queue{Name: name, Durable: true} }

func subscribe(t *testing.T, b *inmem.Broker, q messaging.Queue, h messaging.Handler,
	options ...messaging.SubscribeOption) messaging.Subscription {
	t.Helper()
	s, err := b.Subscribe(t.Context(), q, h, options...)
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	return s
}

func ensure(t *testing.T, b *inmem.Broker, q messaging.Queue) {
	t.Helper()
	if err := b.Ensure(t.Context(), q); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
}

func publish(t *testing.T, b *inmem.Broker, queue string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := b.Publish(t.Context(), queue, messaging.Message{Body: []byte(text)}); err != nil {
			t.Fatalf("Publish: %v", err)
		}
	}
}

// record is a handler that appends to texts, without a lock: use a concurrency of 1, and read texts when the bubble is idle.
func record(texts *[]string) messaging.Handler {
	return func(_ context.Context, m messaging.Message) error {
		*texts = append(*texts, string(m.Body))
		return nil
	}
}

// wantTexts waits until all goroutines are blocked, and fails the test unless got equals want.
func wantTexts(t *testing.T, got *[]string, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// elapse advances the bubble's clock.
func elapse(d time.Duration) { <-time.After(d) }

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func TestUnavailable(t *testing.T) {
	inBubble(t, func(t *testing.T, server *inmem.Server, b *inmem.Broker) {
		ensure(t, b, newQueue("q"))
		server.SetAvailable(false)
		unavailable := messaging.ErrUnavailable
		wantError(t, "Ready", b.Ready(), unavailable)
		wantError(t, "Publish", b.Publish(t.Context(), "q", messaging.Message{}), unavailable)
		wantError(t, "Send", b.Send(t.Context(), "q", messaging.Message{}), unavailable)
		wantError(t, "Ensure", b.Ensure(t.Context(), newQueue("q")), unavailable)
		server.SetAvailable(true)
		wantError(t, "Ready", b.Ready(), nil)
		publish(t, b, "q", "one")
	})
}

func TestSubscribeWaitsForServer(t *testing.T) {
	inBubble(t, func(t *testing.T, server *inmem.Server, b *inmem.Broker) {
		closed := server.Connect()
		server.SetAvailable(false)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := func(ctx context.Context, b *inmem.Broker) <-chan error {
			result := make(chan error, 1)
			go func() {
				_, err := b.Subscribe(ctx, newQueue("q"), record(new([]string)))
				result <- err
			}()
			return result
		}
		waiting, cancelled, closing := start(t.Context(), b), start(ctx, b), start(t.Context(), closed)
		synctest.Wait()
		if len(waiting)+len(cancelled)+len(closing) > 0 {
			t.Fatal("Subscribe returned while the server was away")
		}
		cancel()
		wantError(t, "Subscribe", <-cancelled, context.Canceled)
		wantError(t, "Close", closed.Close(t.Context()), nil)
		wantError(t, "Subscribe", <-closing, messaging.ErrClosed)
		server.SetAvailable(true)
		wantError(t, "Subscribe", <-waiting, nil)
	})
}

// TestLostConnection has a handler return after the connection was lost. The result is ignored and its message delivered again.
func TestLostConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, server *inmem.Server, b *inmem.Broker) {
		var handled []string
		release := make(chan struct{})
		subscribe(t, b, newQueue("q"), func(ctx context.Context, m messaging.Message) error {
			<-release
			if ctx.Err() != nil {
				t.Error("the handler's context has ended")
			}
			return record(&handled)(ctx, m)
		})
		publish(t, b, "q", "one", "two")
		synctest.Wait()
		server.SetAvailable(false)
		server.SetAvailable(false)
		release <- struct{}{}
		wantTexts(t, &handled, "one")
		server.SetAvailable(true)
		close(release)
		wantTexts(t, &handled, "one", "one", "two")
	})
}

func TestDeliveryLimitCountsLostConnections(t *testing.T) {
	inBubble(t, func(t *testing.T, server *inmem.Server, b *inmem.Broker) {
		var dead []string
		q := newQueue("q")
		q.DeadLetter, q.DeliveryLimit = "q.dead", 2
		subscribe(t, b, q, func(ctx context.Context, _ messaging.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}, messaging.WithConcurrency(2))
		publish(t, b, "q", "one")
		for range 2 {
			synctest.Wait()
			server.SetAvailable(false)
			server.SetAvailable(true)
		}
		subscribe(t, b, newQueue("q.dead"), record(&dead))
		wantTexts(t, &dead, "one")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		wantError(t, "Close", b.Close(ended), context.Canceled)
	})
}

// TestDeadLetterQueueIsMade dead-letters a message to a queue that was not declared.
func TestDeadLetterQueueIsMade(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *inmem.Server, b *inmem.Broker) {
		q := newQueue("q")
		q.DeadLetter = "q.dead"
		subscribe(t, b, q, func(context.Context, messaging.Message) error { return messaging.Reject(errHandler) })
		publish(t, b, "q", "one", "two")
		var dead []string
		synctest.Wait()
		subscribe(t, b, newQueue("q.dead"), record(&dead))
		wantTexts(t, &dead, "one", "two")
	})
}

// TestRedeliveryWaits fails a message. Those behind it are delivered until its pause is over.
func TestRedeliveryWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *inmem.Server, b *inmem.Broker) {
		var handled []string
		subscribe(t, b, newQueue("q"), func(ctx context.Context, m messaging.Message) error {
			failed := len(handled) == 0
			_ = record(&handled)(ctx, m)
			if failed {
				return errHandler
			}
			return nil
		}, messaging.WithPrefetch(1))
		publish(t, b, "q", "one", "two", "three")
		elapse(time.Second)
		wantTexts(t, &handled, "one", "two", "three", "one")
	})
}

// TestTurns has several consumers, which take turns while their prefetch allows it.
func TestTurns(t *testing.T) {
	inBubble(t, func(t *testing.T, server *inmem.Server, b *inmem.Broker) {
		other := server.Connect()
		handled := make([][]string, 3)
		subscribe(t, b, newQueue("q"), record(&handled[0]))
		subscribe(t, b, newQueue("q"), record(&handled[1]))
		subscribe(t, other, newQueue("q"), record(&handled[2]))
		publish(t, b, "q", "1", "2", "3", "4", "5", "6")
		wantTexts(t, &handled[0], "1", "4")
		wantTexts(t, &handled[1], "2", "5")
		wantTexts(t, &handled[2], "3", "6")
		wantError(t, "Close", other.Close(t.Context()), nil)
		publish(t, b, "q", "7", "8")
		synctest.Wait()
		if got := len(handled[0]) + len(handled[1]); got != 6 {
			t.Errorf("the two consumers that are left have %d messages, want 6", got)
		}
	})
}

func TestTTL(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *inmem.Server, b *inmem.Broker) {
		ensure(t, b, newQueue("q"))
		for _, m := range []messaging.Message{
			{Body: []byte("gone"), TTL: time.Minute},
			{Body: []byte("gone at once"), TTL: time.Nanosecond},
			{Body: []byte("there"), TTL: time.Minute + time.Millisecond},
		} {
			if err := b.Publish(t.Context(), "q", m); err != nil {
				t.Fatalf("Publish: %v", err)
			}
		}
		elapse(time.Minute)
		var handled []string
		subscribe(t, b, newQueue("q"), record(&handled))
		wantTexts(t, &handled, "there")
	})
}

// TestTTLOfFailed fails a message that has outlived its TTL. It is not delivered again.
func TestTTLOfFailed(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *inmem.Server, b *inmem.Broker) {
		var handled []string
		subscribe(t, b, newQueue("q"), func(ctx context.Context, m messaging.Message) error {
			_ = record(&handled)(ctx, m)
			elapse(time.Minute)
			return errHandler
		})
		m := messaging.Message{Body: []byte("once"), TTL: time.Second}
		if err := b.Publish(t.Context(), "q", m); err != nil {
			t.Fatalf("Publish: %v", err)
		}
		elapse(time.Hour)
		wantTexts(t, &handled, "once")
	})
}

func TestExpiry(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *inmem.Server, b *inmem.Broker) {
		q := newQueue("q")
		q.Expiry = time.Minute
		routable := func(want error) {
			t.Helper()
			wantError(t, "Publish", b.Publish(t.Context(), "q", messaging.Message{}), want)
		}
		ensure(t, b, q)
		elapse(time.Minute - 1)
		routable(nil)
		ensure(t, b, q) // counts as use
		elapse(time.Minute - 1)
		routable(nil)
		s := subscribe(t, b, q, record(new([]string)))
		elapse(time.Hour)
		routable(nil)
		wantError(t, "Drain", s.Drain(t.Context()), nil)
		elapse(time.Minute - 1)
		routable(nil)
		elapse(1)
		routable(messaging.ErrUnroutable)

		ensure(t, b, q)
		publish(t, b, "q", "gone with the queue")
		elapse(time.Minute)
		var handled []string
		subscribe(t, b, q, record(&handled))
		publish(t, b, "q", "new")
		wantTexts(t, &handled, "new")
	})
}

// TestCloseWaitsForReturns closes a connection while an observer runs. Close waits for it.
func TestCloseWaitsForReturns(t *testing.T) {
	inBubble(t, func(t *testing.T, server *inmem.Server, _ *inmem.Broker) {
		b := server.Connect()
		release, passed := make(chan struct{}), false
		b.OnReturn(func(messaging.Return) {
			<-release
			passed = true
		})
		if err := b.Send(t.Context(), "unknown", messaging.Message{}); err != nil {
			t.Fatalf("Send: %v", err)
		}
		closed := make(chan error, 1)
		go func() { closed <- b.Close(t.Context()) }()
		synctest.Wait()
		if len(closed) > 0 {
			t.Fatal("Close returned while a callback ran")
		}
		close(release)
		wantError(t, "Close", <-closed, nil)
		if !passed {
			t.Error("Close returned before the callback")
		}
	})
}

// TestConnectionsAreApart closes one connection and uses another.
func TestConnectionsAreApart(t *testing.T) {
	inBubble(t, func(t *testing.T, server *inmem.Server, b *inmem.Broker) {
		other := server.Connect()
		var handled []string
		subscribe(t, b, newQueue("q"), record(&handled))
		subscribe(t, other, newQueue("other"), record(new([]string)))
		wantError(t, "Close", other.Close(t.Context()), nil)
		wantError(t, "Ready of the closed", other.Ready(), messaging.ErrClosed)
		wantError(t, "Ready", b.Ready(), nil)
		publish(t, b, "q", "one")
		wantTexts(t, &handled, "one")
	})
}
