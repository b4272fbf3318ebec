package messagingtest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

// slow is a handler that waits until it is released and then publishes a message.
type slow struct {
	t        *tester
	broker   messaging.Broker
	replies  messaging.Queue
	started  chan struct{}
	release  gate
	finished atomic.Int64
}

func (t *tester) newSlow(b messaging.Broker) *slow {
	t.Helper()
	s := &slow{t: t, broker: b, replies: t.newQueue(), started: make(chan struct{}, loadMessages), release: make(gate)}
	t.ensure(b, s.replies)
	return s
}

func (s *slow) handle(ctx context.Context, m messaging.Message) error {
	s.started <- struct{}{}
	if err := s.release.pass(ctx); err != nil {
		s.t.Errorf("the context of a running handler has ended: %v", err)
		return err
	}
	if err := s.broker.Publish(ctx, s.replies.Name, newMessage("reply to "+string(m.Body))); err != nil {
		s.t.Errorf("Publish by a running handler: %v", err)
		return err
	}
	s.finished.Add(1)
	return nil
}

// inBackground calls f in a goroutine and returns a channel that gets its error.
func inBackground(f func() error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- f() }()
	return result
}

// wantWaiting fails the test if a call returns that must wait for a handler. Meanwhile it uses another connection.
func (t *tester) wantWaiting(other messaging.Broker, result <-chan error, what string) {
	t.Helper()
	t.roundTrip(other)
	select {
	case err := <-result:
		t.Fatalf("%s returned (error %v) while a handler ran", what, err)
	default:
	}
}

func testDrain(t *tester) {
	for _, concurrency := range []int{1, 3} {
		b, other, q := t.connect(), t.connect(), t.newQueue()
		h := t.newSlow(b)
		texts := numbers(100)
		t.ensure(b, q)
		t.publish(b, q, texts...)
		s := t.subscribe(b, q, h.handle, messaging.WithConcurrency(concurrency))
		for range concurrency {
			awaittest.Receive(t, h.started, "the handlers")
		}

		drained := inBackground(func() error { return s.Drain(t.ctx) })
		t.wantWaiting(other, drained, "Drain")
		h.release.open()
		if err := awaittest.Receive(t, drained, "Drain"); err != nil {
			t.Fatalf("Drain: %v", err)
		}
		// A handler may have started with another message between the release and the drain.
		begun, handled := concurrency+len(h.started), int(h.finished.Load())
		if handled != begun {
			t.Fatalf("%d of %d handlers had finished when Drain returned", handled, begun)
		}
		t.wantLeft(other, q, texts[handled:])
	}
}

// wantLeft fails the test unless the queue holds exactly these messages.
func (t *tester) wantLeft(b messaging.Broker, q messaging.Queue, texts []string) {
	t.Helper()
	left := newInbox()
	t.publish(b, q, "marker")
	t.subscribe(b, q, left.handle)
	t.expect(left, append(slices.Clip(texts), "marker")...)
}

func testDrainTwice(t *tester) {
	b, other, q := t.connect(), t.connect(), t.newQueue()
	h := t.newSlow(b)
	s := t.subscribe(b, q, h.handle)
	t.publish(b, q, "one")
	awaittest.Receive(t, h.started, "the handler")
	first := inBackground(func() error { return s.Drain(t.ctx) })
	second := inBackground(func() error { return s.Drain(t.ctx) })
	t.wantWaiting(other, first, "Drain")
	t.wantWaiting(other, second, "a second Drain")
	h.release.open()
	for _, drained := range []<-chan error{second, first} {
		if err := awaittest.Receive(t, drained, "Drain"); err != nil {
			t.Errorf("Drain: %v", err)
		}
		if h.finished.Load() != 1 {
			t.Error("Drain returned before the handler had finished")
		}
	}
	t.drain(s)
}

// untilCancelled is a handler that runs until its context ends.
func untilCancelled(started chan<- struct{}) messaging.Handler {
	return func(ctx context.Context, _ messaging.Message) error {
		started <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
}

func testDrainContextEnds(t *tester) {
	b, other, q := t.connect(), t.connect(), t.newQueue()
	started := make(chan struct{}, loadMessages)
	s := t.subscribe(b, q, untilCancelled(started))
	t.publish(b, q, "one", "two")
	awaittest.Receive(t, started, "the handler")
	ctx, cancel := context.WithCancel(t.ctx)
	drained := inBackground(func() error { return s.Drain(ctx) })
	t.wantWaiting(other, drained, "Drain")
	cancel()
	t.wantError("Drain", awaittest.Receive(t, drained, "Drain"), context.Canceled)

	left := newInbox()
	t.subscribe(other, q, left.handle)
	t.expectEachOnce(left, []string{"one", "two"})
	t.publish(b, q, "marker")
	t.expect(left, "marker")
}

func testClose(t *tester) {
	b, other, q := t.connect(), t.connect(), t.newQueue()
	h := t.newSlow(b)
	texts := numbers(100)
	t.ensure(b, q)
	t.publish(b, q, texts...)
	t.subscribe(b, q, h.handle)
	awaittest.Receive(t, h.started, "the handler")
	closed := inBackground(func() error { return b.Close(t.ctx) })
	t.wantWaiting(other, closed, "Close")
	h.release.open()
	if err := awaittest.Receive(t, closed, "Close"); err != nil {
		t.Fatalf("Close: %v", err)
	}
	begun, handled := 1+len(h.started), int(h.finished.Load())
	if handled != begun {
		t.Fatalf("%d of %d handlers had finished when Close returned", handled, begun)
	}
	t.wantLeft(other, q, texts[handled:])
	replies := newInbox()
	t.subscribe(other, h.replies, replies.handle)
	for _, text := range texts[:handled] {
		t.expect(replies, "reply to "+text)
	}
}

func testCloseContextEnds(t *tester) {
	b, other, q := t.connect(), t.connect(), t.newQueue()
	started := make(chan struct{}, loadMessages)
	t.subscribe(b, q, untilCancelled(started))
	t.publish(b, q, "one", "two")
	awaittest.Receive(t, started, "the handler")
	ctx, cancel := context.WithCancel(t.ctx)
	closed := inBackground(func() error { return b.Close(ctx) })
	t.wantWaiting(other, closed, "Close")
	cancel()
	t.wantError("Close", awaittest.Receive(t, closed, "Close"), context.Canceled)
	t.wantError("Publish after Close", b.Publish(t.ctx, q.Name, newMessage("late")), messaging.ErrClosed)

	left := newInbox()
	t.subscribe(other, q, left.handle)
	t.expectEachOnce(left, []string{"one", "two"})
	t.publish(other, q, "marker")
	t.expect(left, "marker")
}

// testCloseWhilePublishing closes a connection that publishes. Every message that Publish confirmed is in the queue.
func testCloseWhilePublishing(t *tester) {
	b, other, q := t.connect(), t.connect(), t.newQueue()
	t.ensure(b, q)
	publishers := make([]*publisher, 16)
	for i := range publishers {
		publishers[i] = t.startPublisher(b, q)
	}
	for _, p := range publishers {
		awaittest.Receive(t, p.started, "the publishers")
	}
	if err := b.Close(t.ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
	var published []string
	for _, p := range publishers {
		err := awaittest.Receive(t, p.stopped, "a publisher")
		if !errors.Is(err, messaging.ErrClosed) {
			t.Errorf("Publish while the broker is closed: %v", err)
		}
		published = append(published, p.published...)
	}

	count := t.countLeft(other, q)
	for id, n := range count {
		if n > 1 {
			t.Errorf("message %s is there %d times", id, n)
		}
	}
	for _, id := range published {
		if count[id] == 0 {
			t.Errorf("message %s was published without an error and is lost", id)
		}
	}
}

// publisher publishes until Publish returns an error.
type publisher struct {
	published []string      // the ids; read after stopped
	started   chan struct{} // closed after some messages
	stopped   <-chan error
}

func (t *tester) startPublisher(b messaging.Broker, q messaging.Queue) *publisher {
	p := &publisher{started: make(chan struct{})}
	p.stopped = inBackground(func() error {
		for {
			m := newMessage("")
			if err := b.Publish(t.ctx, q.Name, m); err != nil {
				return err
			}
			p.published = append(p.published, m.ID)
			if len(p.published) == 10 {
				close(p.started)
			}
		}
	})
	return p
}

// countLeft takes all messages out of q and returns how often each id occurred.
func (t *tester) countLeft(b messaging.Broker, q messaging.Queue) map[string]int {
	t.Helper()
	left := newInbox()
	t.publish(b, q, "marker")
	t.subscribe(b, q, left.handle)
	count := map[string]int{}
	for {
		m := awaittest.Receive(t, left, "what is left")
		if string(m.Body) == "marker" {
			return count
		}
		count[m.ID]++
	}
}

func testClosed(t *tester) {
	b, q := t.connect(), t.newQueue()
	if err := b.Ready(); err != nil {
		t.Errorf("Ready: %v", err)
	}
	t.ensure(b, q)
	if err := b.Close(t.ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
	_, err := b.Subscribe(t.ctx, q, newInbox().handle)
	t.wantError("Subscribe", err, messaging.ErrClosed)
	t.wantError("Publish", b.Publish(t.ctx, q.Name, newMessage("")), messaging.ErrClosed)
	t.wantError("Send", b.Send(t.ctx, q.Name, newMessage("")), messaging.ErrClosed)
	t.wantError("Ensure", b.Ensure(t.ctx, q), messaging.ErrClosed)
	_, _, err = b.Inspect(t.ctx, q.Name)
	t.wantError("Inspect", err, messaging.ErrClosed)
	t.wantError("Ready", b.Ready(), messaging.ErrClosed)
	b.OnReturn(func(messaging.Return) {})()
	if err := b.Close(t.ctx); err != nil && !errors.Is(err, messaging.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}
