package messagingtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
)

var errHandler = errors.New("the handler failed")

// failing is a handler that returns an error for the first deliveries and takes "marker" at once. It expects a concurrency
// of 1.
type failing struct {
	taken      inbox
	deliveries chan struct{} // one for each delivery except the marker's
	err        error
	failures   int // how many deliveries fail
}

func newFailing(err error, failures int) *failing {
	return &failing{taken: newInbox(), deliveries: make(chan struct{}, loadMessages), err: err, failures: failures}
}

// always exceeds the number of deliveries of a test.
const always = loadMessages

func (f *failing) handle(ctx context.Context, m messaging.Message) error {
	if string(m.Body) == "marker" {
		return f.taken.handle(ctx, m)
	}
	f.deliveries <- struct{}{}
	if len(f.deliveries) <= f.failures {
		return f.err
	}
	return f.taken.handle(ctx, m)
}

func (t *tester) wantDeliveries(f *failing, want int) {
	t.Helper()
	if got := len(f.deliveries); got != want {
		t.Errorf("the message was delivered %d times, want %d", got, want)
	}
}

// newDeadLetterQueue declares the dead-letter queue of q, so that it expires like the others, and subscribes to it.
func (t *tester) newDeadLetterQueue(b messaging.Broker, q *messaging.Queue) (messaging.Queue, inbox) {
	t.Helper()
	dead, received := t.newQueue(), newInbox()
	q.DeadLetter = dead.Name
	t.subscribe(b, dead, received.handle)
	return dead, received
}

func testRedelivery(t *tester) {
	b, q := t.connect(), t.newQueue()
	h := newFailing(errHandler, 2)
	t.subscribe(b, q, h.handle)
	sent, want := t.fullMessage()
	sent.Body = []byte("retried")
	t.publishMessage(b, q, sent)

	got := awaittest.Receive(t, h.taken, "the message")
	t.wantDeliveries(h, 3)
	t.wantHeaders(got, want.Headers)
	got.Headers, want.Headers, want.Body = nil, nil, sent.Body
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message delivered again (-want +got):\n%s", diff)
	}
	t.publish(b, q, "marker")
	t.expect(h.taken, "marker")
	t.wantDeliveries(h, 3)
}

// testRedeliveryWithoutLimit fails more often than the default delivery limit of RabbitMQ 4, which is 20. Which user of the
// queue has declared it, with what limit, makes no difference.
func testRedeliveryWithoutLimit(t *tester) {
	const failures = 25
	for _, declaredWith := range []int{0, 3, 20} {
		b, q := t.connect(), t.newQueue()
		declared := q
		declared.DeliveryLimit = declaredWith
		t.ensure(t.connect(), declared)
		h := newFailing(errHandler, failures)
		t.subscribe(b, q, h.handle)
		t.publish(b, q, "retried")
		t.expect(h.taken, "retried")
		t.wantDeliveries(h, failures+1)
	}
}

// testRedeliveryWithoutHeaders delivers a message again for all reasons. It must not show headers of the broker.
func testRedeliveryWithoutHeaders(t *tester) {
	for _, limit := range []int{0, 10} {
		b, q := t.connect(), t.newQueue()
		q.DeliveryLimit = limit
		delivered, results := newInbox(), make(chan error)
		t.subscribe(b, q, func(_ context.Context, m messaging.Message) error {
			delivered <- m
			return <-results
		})
		sent, want := t.fullMessage()
		t.publishMessage(b, q, sent)
		deliver := func(what string) {
			t.wantHeaders(awaittest.Receive(t, delivered, "the message "+what), want.Headers)
		}
		deliver("at first")
		results <- errHandler
		deliver("after an error")
		t.options.Interrupt(t.T, b)
		results <- nil
		deliver("after a lost connection")
		results <- errHandler
		deliver("after an error again")
		results <- nil
	}
}

// testDeliveryLimitAfterLoss loses the connection during the first delivery. The handler then fails until the limit.
func testDeliveryLimitAfterLoss(t *tester) {
	b, q := t.connect(), t.newQueue()
	q.DeliveryLimit = 3
	_, deadLetters := t.newDeadLetterQueue(t.connect(), &q)
	h := newFailing(errHandler, always)
	lost := make(gate)
	t.subscribe(b, q, func(ctx context.Context, m messaging.Message) error {
		err := h.handle(ctx, m)
		if len(h.deliveries) == 1 {
			return lost.pass(ctx)
		}
		return err
	})
	t.publish(b, q, "failing")
	awaittest.Until(t, "the first delivery", func() bool { return len(h.deliveries) == 1 })
	t.options.Interrupt(t.T, b)
	lost.open()
	t.expect(deadLetters, "failing")
	t.wantDeliveries(h, q.DeliveryLimit)
}

// testRetryDelay measures the pauses before a message is delivered again.
func testRetryDelay(t *tester) {
	const first, last = 100 * time.Millisecond, 200 * time.Millisecond
	for _, limit := range []int{0, 10} {
		b, q := t.connect(), t.newQueue()
		q.DeliveryLimit = limit
		pauses := make(chan time.Duration, 3)
		var failed time.Time // guarded by the concurrency of 1
		t.subscribe(b, q, func(context.Context, messaging.Message) error {
			if !failed.IsZero() {
				pauses <- time.Since(failed)
			}
			if len(pauses) == cap(pauses) {
				return nil
			}
			failed = time.Now()
			return errHandler
		}, messaging.WithRetryDelay(first, last))
		t.publish(b, q, "failing")
		for i := range cap(pauses) {
			if pause := awaittest.Receive(t, pauses, "the next delivery"); pause < min(first<<i, last) {
				t.Errorf("with limit %d, pause %d was %s, want at least %s", limit, i+1, pause, min(first<<i, last))
			}
		}
	}
}

// testRetryDelayOthers has more messages wait for their retry than the prefetch allows. Others are delivered meanwhile, and a
// drain gives the waiting ones to another consumer.
func testRetryDelayOthers(t *tester) {
	for _, limit := range []int{0, 3} {
		for _, test := range []struct {
			prefetch, failing int
			option            messaging.SubscribeOption
		}{
			{1, 5, messaging.WithConcurrency(1)},
			{20, 100, messaging.WithConcurrency(5)},
			{20, 100, messaging.WithExclusive()},
		} {
			b, q := t.connect(), t.newQueue()
			q.DeliveryLimit = limit
			taken := newInbox()
			s := t.subscribe(b, q, func(ctx context.Context, m messaging.Message) error {
				if string(m.Body) == "marker" {
					return taken.handle(ctx, m)
				}
				return errHandler
			}, messaging.WithPrefetch(test.prefetch), messaging.WithRetryDelay(time.Hour, time.Hour), test.option)
			t.publish(b, q, numbers(test.failing)...)
			t.publish(b, q, "marker")
			t.expect(taken, "marker")
			t.drain(s)
			left := newInbox()
			t.subscribe(t.connect(), q, left.handle)
			t.expectEachOnce(left, numbers(test.failing))
		}
	}
}

// testRetryMany has many messages fail with the smallest prefetch, again and again.
func testRetryMany(t *tester) {
	const n, failures = 50, 3
	b, q := t.connect(), t.newQueue()
	taken, failed := newInbox(), map[string]int{} // guarded by the concurrency of 1
	t.subscribe(b, q, func(ctx context.Context, m messaging.Message) error {
		if text := string(m.Body); failed[text] < failures {
			failed[text]++
			return errHandler
		}
		return taken.handle(ctx, m)
	}, messaging.WithPrefetch(1))
	t.publish(b, q, numbers(n)...)
	t.expectEachOnce(taken, numbers(n))
}

func testDeliveryLimit(t *tester) {
	for _, limit := range []int{1, 3} {
		b, q := t.connect(), t.newQueue()
		q.DeliveryLimit = limit
		dead, deadLetters := t.newDeadLetterQueue(b, &q)
		h := newFailing(errHandler, always)
		t.subscribe(b, q, h.handle)
		sent, want := t.fullMessage()
		t.publishMessage(b, q, sent)

		got := awaittest.Receive(t, deadLetters, "the dead-lettered message")
		t.wantDeadLetter(got, deadletter.Mark(want, q.Name, deadletter.ReasonDeliveryLimit, time.Now()))
		t.publish(b, q, "marker")
		t.expect(h.taken, "marker")
		t.wantDeliveries(h, limit)
		t.publish(b, dead, "marker")
		t.expect(deadLetters, "marker")
	}
}

// wantDeadLetter fails the test unless got equals want, except for its time, which must be shortly before want's.
func (t *tester) wantDeadLetter(got, want messaging.Message) {
	t.Helper()
	givenUp, ok := got.Headers[deadletter.TimeHeader].(time.Time)
	latest, _ := want.Headers[deadletter.TimeHeader].(time.Time)
	if !ok || givenUp.After(latest) || givenUp.Before(latest.Add(-2*patience)) {
		t.Errorf("the message was dead-lettered at %v at %s", got.Headers[deadletter.TimeHeader], latest)
	}
	delete(want.Headers, deadletter.TimeHeader)
	t.wantHeaders(got, want.Headers)
	got.Headers, want.Headers = nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead-lettered message (-want +got):\n%s", diff)
	}
}

func testDeliveryLimitWithoutDeadLetter(t *tester) {
	b, q := t.connect(), t.newQueue()
	q.DeliveryLimit = 2
	h := newFailing(errHandler, always)
	t.subscribe(b, q, h.handle)
	t.publish(b, q, "dropped")
	for range q.DeliveryLimit {
		awaittest.Receive(t, h.deliveries, "the deliveries")
	}
	t.publish(b, q, "marker")
	t.expect(h.taken, "marker")
	t.wantDeliveries(h, 0)
}

// testDeadLetterOfConsumer has a sender declare the queue without a dead-letter queue. The consumer's settings count.
func testDeadLetterOfConsumer(t *tester) {
	sender, b, q := t.connect(), t.connect(), t.newQueue()
	if err := sender.Ensure(t.ctx, q); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
	q.DeliveryLimit = 2
	_, deadLetters := t.newDeadLetterQueue(b, &q)
	h := newFailing(errHandler, always)
	t.subscribe(b, q, h.handle)
	t.publish(sender, q, "failing")
	if got := awaittest.Receive(t, deadLetters, "the dead-lettered message"); string(got.Body) != "failing" {
		t.Errorf("dead-lettered message %q, want the message that failed", got.Body)
	}
	t.wantDeliveries(h, q.DeliveryLimit)
}

func testReject(t *tester) {
	for name, err := range map[string]error{
		"rejected":         messaging.Reject(errHandler),
		"wrapped rejected": fmt.Errorf("handle: %w", messaging.Reject(errHandler)),
	} {
		b, q := t.connect(), t.newQueue()
		q.DeliveryLimit = 5
		dead, deadLetters := t.newDeadLetterQueue(b, &q)
		h := newFailing(err, always)
		t.subscribe(b, q, h.handle)
		sent, want := t.fullMessage()
		t.publishMessage(b, q, sent)

		got := awaittest.Receive(t, deadLetters, "the dead-lettered message")
		t.wantDeadLetter(got, deadletter.Mark(want, q.Name, deadletter.ReasonRejected, time.Now()))
		t.publish(b, q, "marker")
		t.expect(h.taken, "marker")
		t.wantDeliveries(h, 1)
		t.publish(b, dead, "marker")
		t.expect(deadLetters, "marker")
		if t.Failed() {
			t.Fatalf("with an error that is %s", name)
		}
	}
}

func testRejectWithoutDeadLetter(t *tester) {
	b, q := t.connect(), t.newQueue()
	h := newFailing(messaging.Reject(errHandler), always)
	t.subscribe(b, q, h.handle)
	t.publish(b, q, "dropped", "dropped", "marker")
	t.expect(h.taken, "marker")
	t.publish(b, q, "marker")
	t.expect(h.taken, "marker")
	t.wantDeliveries(h, 2)
}

// testDeadLetterLargestHeaders dead-letters a message whose headers leave no bytes for those that the broker adds.
func testDeadLetterLargestHeaders(t *tester) {
	b, q := t.connect(), t.newQueue()
	q.DeliveryLimit = 3
	_, deadLetters := t.newDeadLetterQueue(b, &q)
	h := newFailing(errHandler, always)
	t.subscribe(b, q, h.handle)
	m := newMessage("large")
	m.Headers = largestHeaders(t)
	t.publishMessage(b, q, m)
	t.wantHeaders(awaittest.Receive(t, deadLetters, "the dead-lettered message"), m.Headers)
	t.wantDeliveries(h, q.DeliveryLimit)
}

// testDeadLetterWithoutTTL dead-letters a message with a short TTL, which does not count in the dead-letter queue.
func testDeadLetterWithoutTTL(t *tester) {
	const ttl = 500 * time.Millisecond
	b, q := t.connect(), t.newQueue()
	dead := t.newQueue()
	q.DeadLetter = dead.Name
	t.ensure(b, dead)
	h := newFailing(messaging.Reject(errHandler), always)
	t.subscribe(b, q, h.handle)
	m := newMessage("kept")
	m.TTL = ttl
	t.publishMessage(b, q, m)
	awaittest.Receive(t, h.deliveries, "the delivery")
	t.awaitTime(time.Now().Add(2 * ttl))

	deadLetters := newInbox()
	t.subscribe(b, dead, deadLetters.handle)
	t.expect(deadLetters, "kept")
}

func testTTL(t *tester) {
	const ttl = 50 * time.Millisecond
	b, q := t.connect(), t.newQueue()
	dead, deadLetters := t.newDeadLetterQueue(b, &q)
	t.ensure(b, q)
	for _, m := range []struct {
		text string
		ttl  time.Duration
	}{
		{"expired at the head", ttl},
		{"without", 0},
		{"expired behind another", ttl},
		{"lasting", time.Hour},
		{"expired at once", time.Microsecond},
	} {
		message := newMessage(m.text)
		message.TTL = m.ttl
		t.publishMessage(b, q, message)
	}
	t.awaitTime(time.Now().Add(4 * ttl))

	received := newInbox()
	t.subscribe(b, q, received.handle)
	t.expect(received, "without", "lasting")
	t.publish(b, q, "marker")
	t.expect(received, "marker")
	t.publish(b, dead, "marker")
	t.expect(deadLetters, "marker")
}
