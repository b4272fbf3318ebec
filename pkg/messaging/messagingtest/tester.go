package messagingtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

// tester is one test of the suite.
type tester struct {
	*testing.T
	ctx     context.Context // ends after patience
	dial    Connect
	options Options
}

// connect returns a new connection that is ready. It is closed when the test ends.
func (t *tester) connect() messaging.Broker {
	t.Helper()
	b := t.dial(t.T)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err := b.Close(ctx)
		closedByTest := errors.Is(err, messaging.ErrClosed) || errors.Is(err, context.Canceled)
		if err != nil && !closedByTest {
			t.Errorf("Close after the test: %v", err)
		}
	})
	awaittest.Until(t, "the broker to be ready", func() bool { return b.Ready() == nil })
	return b
}

// newQueue describes a queue with an unused name.
func (t *tester) newQueue() messaging.Queue {
	return messaging.Queue{
		Name:    "messagingtest." + uuid.NewString(),
		Durable: true,
		Type:    t.options.QueueType,
		Expiry:  2 * patience,
	}
}

// newClassicQueue is newQueue for features that quorum queues lack.
func (t *tester) newClassicQueue() messaging.Queue {
	q := t.newQueue()
	q.Type = messaging.Classic
	return q
}

// ensure declares a new queue.
func (t *tester) ensure(b messaging.Broker, q messaging.Queue) {
	t.Helper()
	if err := b.Ensure(t.ctx, q); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
}

// subscribe subscribes with short pauses before retries, unless options say otherwise.
func (t *tester) subscribe(b messaging.Broker, q messaging.Queue, h messaging.Handler,
	options ...messaging.SubscribeOption) messaging.Subscription {
	t.Helper()
	options = append([]messaging.SubscribeOption{messaging.WithRetryDelay(time.Millisecond, 10*time.Millisecond)}, options...)
	s, err := b.Subscribe(t.ctx, q, h, options...)
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	return s
}

func (t *tester) drain(s messaging.Subscription) {
	t.Helper()
	if err := s.Drain(t.ctx); err != nil {
		t.Fatalf("Drain: %v", err)
	}
}

// newMessage returns a message that its text identifies.
func newMessage(text string) messaging.Message {
	return messaging.Message{ID: uuid.NewString(), Body: []byte(text), Persistent: true}
}

func (t *tester) publishMessage(b messaging.Broker, q messaging.Queue, m messaging.Message) {
	t.Helper()
	if err := b.Publish(t.ctx, q.Name, m); err != nil {
		t.Fatalf("Publish: %v", err)
	}
}

// publish publishes a message for each text, in that order.
func (t *tester) publish(b messaging.Broker, q messaging.Queue, texts ...string) {
	t.Helper()
	for _, text := range texts {
		t.publishMessage(b, q, newMessage(text))
	}
}

// inbox collects messages. Its capacity is that of the largest test.
type inbox chan messaging.Message

func newInbox() inbox { return make(inbox, 2*loadMessages) }

func (i inbox) handle(_ context.Context, m messaging.Message) error {
	i <- m
	return nil
}

// expect fails the test unless the next messages have these texts, in that order.
func (t *tester) expect(i inbox, want ...string) {
	t.Helper()
	var got []string
	for range want {
		select {
		case m := <-i:
			got = append(got, string(m.Body))
		case <-t.ctx.Done():
			t.Fatalf("timed out, received %q, want %q", got, want)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("received messages (-want +got):\n%s", diff)
	}
}

// awaitTime returns at a time.
func (t *tester) awaitTime(when time.Time) {
	ctx, cancel := context.WithDeadline(t.ctx, when)
	defer cancel()
	<-ctx.Done()
}

// awaitNoQueue publishes to a queue until the broker has deleted it. RabbitMQ 3.10 closes the channel when the quorum queue is
// deleted at the same time: ErrUnconfirmed, then ErrUnavailable until the channel is open again.
func (t *tester) awaitNoQueue(b messaging.Broker, q messaging.Queue) {
	t.Helper()
	awaittest.Until(t, "the queue to go", func() bool {
		err := b.Publish(t.ctx, q.Name, newMessage("probe"))
		if err != nil && !errors.Is(err, messaging.ErrUnroutable) && !errors.Is(err, messaging.ErrUnconfirmed) &&
			!errors.Is(err, messaging.ErrUnavailable) {
			t.Fatalf("Publish: %v", err)
		}
		return errors.Is(err, messaging.ErrUnroutable)
	})
}

// roundTrip publishes a message on b and receives it, so that b has done everything that was due earlier.
func (t *tester) roundTrip(b messaging.Broker) {
	t.Helper()
	q, received := t.newQueue(), newInbox()
	s := t.subscribe(b, q, received.handle)
	t.publish(b, q, "round trip")
	t.expect(received, "round trip")
	t.drain(s)
}

// wantError fails the test unless err wraps target.
func (t *tester) wantError(what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got error %v, want %v", what, err, target)
	}
}

// gate blocks handlers until it is opened.
type gate chan struct{}

func (g gate) open() { close(g) }

// pass returns nil once the gate is open, or the context's error.
func (g gate) pass(ctx context.Context) error {
	select {
	case <-g:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
