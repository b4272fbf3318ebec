package messagingtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

func testQueueOutlivesConsumers(t *tester) {
	first, second, q := t.connect(), t.connect(), t.newQueue()
	received := newInbox()
	s := t.subscribe(first, q, received.handle)
	t.publish(first, q, "before")
	t.expect(received, "before")
	t.drain(s)
	t.publish(first, q, "one", "two")
	if err := first.Close(t.ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
	t.publish(second, q, "three")

	received = newInbox()
	t.subscribe(second, q, received.handle)
	t.expect(received, "one", "two", "three")
}

// testEnsureExisting declares a queue again with other settings. The queue and its messages stay as they are.
func testEnsureExisting(t *tester) {
	first, second, q := t.connect(), t.connect(), t.newClassicQueue()
	t.ensure(first, q)
	t.publish(first, q, "kept")

	other := q
	other.Expiry = 0
	otherType := q
	otherType.Type = messaging.Quorum
	deadLetter := q
	deadLetter.DeadLetter = t.newQueue().Name
	t.ensure(first, messaging.Queue{Name: deadLetter.DeadLetter, Durable: true, Expiry: q.Expiry})
	deadLetter.DeliveryLimit = 7
	autoDelete := q
	autoDelete.AutoDelete = true
	for _, b := range []messaging.Broker{first, second} {
		for name, existing := range map[string]messaging.Queue{
			"same": q, "other expiry": other, "other type": otherType, "dead letter": deadLetter, "auto-delete": autoDelete,
		} {
			if err := b.Ensure(t.ctx, existing); err != nil {
				t.Errorf("Ensure of an existing queue with settings %q: %v", name, err)
			}
		}
	}

	received := newInbox()
	s := t.subscribe(second, autoDelete, received.handle)
	t.expect(received, "kept")
	t.drain(s)
	t.publish(first, q, "auto-delete was not taken over")
	t.subscribe(first, q, received.handle)
	t.expect(received, "auto-delete was not taken over")
}

func testAutoDelete(t *tester) {
	b, q, received := t.connect(), t.newClassicQueue(), newInbox()
	q.AutoDelete = true
	first := t.subscribe(b, q, received.handle)
	second := t.subscribe(b, q, received.handle)
	t.publish(b, q, "with two consumers")
	t.drain(first)
	t.publish(b, q, "with one consumer")
	t.expectEachOnce(received, []string{"with two consumers", "with one consumer"})
	t.drain(second)
	t.awaitNoQueue(b, q)
}

func testExpiry(t *tester) {
	b, used, unused, received := t.connect(), t.newQueue(), t.newQueue(), newInbox()
	used.Expiry, unused.Expiry = 300*time.Millisecond, 600*time.Millisecond
	s := t.subscribe(b, used, received.handle)
	t.ensure(b, unused)
	t.awaitNoQueue(b, unused)
	t.publish(b, used, "a queue with a consumer stays")
	t.expect(received, "a queue with a consumer stays")
	t.drain(s)
	t.awaitNoQueue(b, used)
}

// testQueueGone uses a queue that another connection has deleted. A connection that remembers it must declare it again.
func testQueueGone(t *tester) {
	b, ensured, subscribed, received := t.connect(), t.newQueue(), t.newQueue(), newInbox()
	lasting := ensured.Expiry
	ensured.Expiry, subscribed.Expiry = 300*time.Millisecond, 300*time.Millisecond
	t.ensure(b, ensured)
	t.drain(t.subscribe(b, subscribed, received.handle))
	t.awaitNoQueue(b, ensured)
	t.awaitNoQueue(b, subscribed)

	ensured.Expiry, subscribed.Expiry = lasting, lasting
	t.ensure(b, ensured)
	t.publish(b, ensured, "ensured again")
	t.subscribe(b, ensured, received.handle)
	t.expect(received, "ensured again")
	t.subscribe(b, subscribed, received.handle)
	t.publish(b, subscribed, "subscribed again")
	t.expect(received, "subscribed again")
}

func testInspect(t *tester) {
	b, other, q := t.connect(), t.connect(), t.newQueue()
	for name, want := range map[string]error{
		q.Name: messaging.ErrUnroutable, "": messaging.ErrInvalidQueue, strings.Repeat("x", 300): messaging.ErrInvalidQueue,
	} {
		_, _, err := b.Inspect(t.ctx, name)
		t.wantError(fmt.Sprintf("Inspect %q", name), err, want)
	}
	t.ensure(other, q)
	t.awaitState(b, q, 0, 0)
	t.publish(other, q, "one", "two", "three")
	t.awaitState(b, q, 3, 0)
	handlers := make(gate)
	t.subscribe(other, q, func(ctx context.Context, _ messaging.Message) error { return handlers.pass(ctx) },
		messaging.WithPrefetch(1))
	t.awaitState(b, q, 2, 1) // one message is with the consumer
	received := newInbox()
	second := t.subscribe(b, q, received.handle)
	t.awaitState(b, q, 0, 2)
	t.expectEachOnce(received, []string{"two", "three"})
	t.drain(second)
	t.awaitState(b, q, 0, 1)
	handlers.open()
}

func (t *tester) awaitState(b messaging.Broker, q messaging.Queue, messages, consumers int) {
	t.Helper()
	awaittest.Until(t, fmt.Sprintf("%d messages and %d consumers", messages, consumers), func() bool {
		gotMessages, gotConsumers, err := b.Inspect(t.ctx, q.Name)
		if err != nil {
			t.Fatalf("Inspect: %v", err)
		}
		return gotMessages == messages && gotConsumers == consumers
	})
}

func testExclusiveFirst(t *tester) {
	b, q, received := t.connect(), t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle, messaging.WithExclusive())
	for _, second := range []messaging.Broker{b, t.connect()} {
		_, err := second.Subscribe(t.ctx, q, newInbox().handle, messaging.WithExclusive())
		t.wantError("Subscribe WithExclusive beside an exclusive consumer", err, messaging.ErrQueueInUse)
		if q.Type != messaging.Quorum {
			_, err = second.Subscribe(t.ctx, q, newInbox().handle)
			t.wantError("Subscribe beside an exclusive consumer", err, messaging.ErrQueueInUse)
		}
		t.publish(second, q, "one", "two")
		t.expect(received, "one", "two")
	}
}

// RabbitMQ does not report the consumers of a quorum queue that did not ask for exclusivity.
func testExclusiveSecond(t *tester) {
	b, q, received := t.connect(), t.newClassicQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	for _, second := range []messaging.Broker{b, t.connect()} {
		_, err := second.Subscribe(t.ctx, q, newInbox().handle, messaging.WithExclusive())
		t.wantError("Subscribe WithExclusive beside a consumer", err, messaging.ErrQueueInUse)
		t.publish(second, q, "one", "two")
		t.expect(received, "one", "two")
	}
}

func testExclusiveDrained(t *tester) {
	first, second, q := t.connect(), t.connect(), t.newQueue()
	for range 3 {
		for _, b := range []messaging.Broker{first, second} {
			received := newInbox()
			s := t.subscribe(b, q, received.handle, messaging.WithExclusive())
			t.publish(b, q, "one")
			t.expect(received, "one")
			t.drain(s)
		}
	}
	s := t.subscribe(first, q, newInbox().handle, messaging.WithExclusive())
	if err := first.Close(t.ctx); err != nil && !errors.Is(err, messaging.ErrClosed) {
		t.Fatalf("Close: %v", err)
	}
	t.subscribe(second, q, newInbox().handle)
	t.drain(s) // returns at once after Close
}

// testExclusiveAfterLoss loses the connection of an exclusive consumer, which takes its queue over again.
func testExclusiveAfterLoss(t *tester) {
	b, other, q, received := t.connect(), t.connect(), t.newQueue(), newInbox()
	s := t.subscribe(b, q, received.handle, messaging.WithExclusive())
	for _, text := range numbers(3) {
		awaittest.Until(t, "the broker to be ready", func() bool { return b.Ready() == nil })
		t.options.Interrupt(t.T, b)
		t.publish(other, q, text)
		t.awaitText(received, text)
		_, err := other.Subscribe(t.ctx, q, newInbox().handle, messaging.WithExclusive())
		t.wantError("Subscribe WithExclusive beside an exclusive consumer", err, messaging.ErrQueueInUse)
	}
	t.drain(s)
	t.subscribe(other, q, received.handle, messaging.WithExclusive())
	t.publish(other, q, "after the drain")
	t.awaitText(received, "after the drain")
}

// awaitText receives messages until one has this text. Those before it may be delivered again after a lost connection.
func (t *tester) awaitText(i inbox, text string) {
	t.Helper()
	for string(awaittest.Receive(t, i, text).Body) != text {
		continue
	}
}
