package rabbitmq

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// TestLateAcknowledgementTouchesNoOtherMessage checks for a loss that the AMQP library's recovery has: handlers of a lost
// connection finish and acknowledge tags 1 to 5, which are other deliveries on the new channel. All those deliveries must
// arrive again after a second loss.
func TestLateAcknowledgementTouchesNoOtherMessage(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	const n = 5
	var generation atomic.Int32
	type start struct {
		generation int32
		id         string
	}
	started := make(chan start, 10*n)
	release := [3]chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	finished := make(chan struct{}, 10*n)
	_, err := b.Subscribe(awaittest.Context(t), q, func(_ context.Context, m messaging.Message) error {
		g := generation.Load()
		started <- start{g, m.ID}
		<-release[g]
		finished <- struct{}{}
		return nil
	}, messaging.WithConcurrency(3*n), messaging.WithPrefetch(3*n))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: fmt.Sprint(i), Persistent: true}); err != nil {
			t.Fatal(err)
		}
	}
	awaitAll := func(g int32) {
		t.Helper()
		seen := map[string]bool{}
		for len(seen) < n {
			s := receive(t, started)
			if s.generation != g {
				t.Fatalf("message %s came in generation %d, want %d", s.id, s.generation, g)
			}
			seen[s.id] = true
		}
	}
	awaitAll(0)
	generation.Store(1)
	cut(t, b.consuming)
	awaitAll(1) // the same messages, as deliveries 1 to n of a new channel
	close(release[0])
	for range n {
		receive(t, finished)
	}
	generation.Store(2)
	<-time.After(50 * acknowledgeWithin) // an acknowledgement by the old handlers has reached the broker by now
	cut(t, b.consuming)
	awaitAll(2)
	close(release[1])
	close(release[2])
}

func TestSubscriptionSurvivesLostConnections(t *testing.T) {
	var reconnects atomic.Int32
	b := newTestBroker(t, Options{OnReconnect: func() { reconnects.Add(1) }})
	q := testQueue(t)
	got := received(t, b, q)
	for i := range 3 {
		cut(t, b.publishing)
		cut(t, b.consuming)
		id := fmt.Sprint(i)
		if err := b.Send(awaittest.Context(t), q.Name, messaging.Message{ID: id}); err != nil {
			t.Fatalf("send after reconnect %d: %v", i, err)
		}
		if have := receive(t, got); have != id {
			t.Fatalf("got %s, want %s", have, id)
		}
	}
	if n := reconnects.Load(); n != 6 {
		t.Errorf("%d reconnects reported, want 6", n)
	}
}

func TestSubscriptionSurvivesDeletedQueue(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	got := received(t, b, q)
	deleteQueue(t, b, q.Name)
	ctx := awaittest.Context(t)
	for {
		if err := b.Publish(ctx, q.Name, messaging.Message{ID: "after"}); err == nil {
			break
		} else if !errors.Is(err, messaging.ErrUnroutable) {
			t.Fatal(err)
		}
	}
	if id := receive(t, got); id != "after" {
		t.Errorf("got %s, want the message published after the queue was declared again", id)
	}
}

// TestDeliveryLimitOutlivesTheConsumer ends the connection at each delivery, as if the message had killed the process.
func TestDeliveryLimitOutlivesTheConsumer(t *testing.T) {
	for _, queueType := range []messaging.QueueType{messaging.Classic, messaging.Quorum} {
		t.Run(string(queueType), func(t *testing.T) {
			b := newTestBroker(t, Options{})
			const limit = 3
			q := testQueue(t)
			q.Type, q.DeliveryLimit, q.DeadLetter = queueType, limit, q.Name+".dead"
			deliveries := make(chan struct{}, 10*limit)
			hang := make(chan struct{})
			release := sync.OnceFunc(func() { close(hang) })
			defer release()
			if _, err := b.Subscribe(awaittest.Context(t), q, func(context.Context, messaging.Message) error {
				deliveries <- struct{}{}
				<-hang
				return errors.New("the process did not die")
			}, messaging.WithConcurrency(10*limit)); err != nil {
				t.Fatal(err)
			}
			dead := make(chan messaging.Message, 1<<limit)
			if _, err := b.Subscribe(awaittest.Context(t), deadLetterQueue(q), func(_ context.Context, m messaging.Message) error {
				dead <- m
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: "poison"}); err != nil {
				t.Fatal(err)
			}
			for range limit {
				receive(t, deliveries)
				cut(t, b.consuming)
			}
			release()
			m := receive(t, dead)
			if m.ID != "poison" || m.Headers[deadletter.ReasonHeader] != deadletter.ReasonDeliveryLimit ||
				m.Headers[deadletter.QueueHeader] != q.Name {
				t.Errorf("dead-lettered message %+v", m)
			}
			// On a classic queue the cut may come between the copy with the new count and the original's acknowledgement. Then
			// both are delivered again, and count on their own.
			if extra := len(deliveries); extra > 1<<limit || queueType == messaging.Quorum && extra > 0 {
				t.Errorf("%d deliveries beyond the limit of %d", extra, limit)
			}
		})
	}
}

// TestForgedHeaders sends messages with headers that are reserved for the broker, whose handler fails. The messages must not go
// to the queues that the headers name, and no count that a sender made up may be believed.
func TestForgedHeaders(t *testing.T) {
	long := func(n uint64) string { return "l" + string(binary.BigEndian.AppendUint64(nil, n)) }
	for _, queueType := range []messaging.QueueType{messaging.Classic, messaging.Quorum} {
		for name, fail := range map[string]error{"rejected": messaging.Reject(errors.New("no")), "redelivered": errors.New("again")} {
			t.Run(string(queueType)+" "+name, func(t *testing.T) {
				b := newTestBroker(t, Options{})
				q, other := testQueue(t), testQueue(t)
				q.Type, q.DeadLetter, q.DeliveryLimit, other.Name = queueType, q.Name+".dead", 3, q.Name+".other"
				copies, dead := received(t, b, other), receivedMessages(t, b, deadLetterQueue(q))
				handled := make(chan messaging.Message, 100)
				if _, err := b.Subscribe(awaittest.Context(t), q, func(_ context.Context, m messaging.Message) error {
					handled <- m
					return fail
				}, messaging.WithRetryDelay(1, 2)); err != nil {
					t.Fatal(err)
				}
				to := rabbitmqtest.Long('A', []byte(rabbitmqtest.Long('S', []byte(other.Name))))
				rawPublisher(t)(q.Name, rabbitmqtest.Properties("forged", rabbitmqtest.Field("CC", to), rabbitmqtest.Field("kept", long(1)),
					rabbitmqtest.Field("x-delivery-count", long(99)), rabbitmqtest.Field("x-classic-delivery-count", long(99)),
					rabbitmqtest.Field("x-acquired-count", long(99))))
				receive(t, copies) // by the broker, from the sender
				letter := receive(t, dead)
				want := 1
				if name == "redelivered" {
					want = q.DeliveryLimit
				}
				if n := len(handled); n != want {
					t.Errorf("handled %d times, want %d", n, want)
				}
				for _, m := range []messaging.Message{receive(t, handled), letter} {
					for _, header := range []string{"CC", "x-delivery-count", "x-classic-delivery-count"} {
						if value, ok := m.Headers[header]; ok {
							t.Errorf("header %s: %v", header, value)
						}
					}
					if m.ID != "forged" || m.Headers["kept"] != int64(1) {
						t.Errorf("message %+v", m)
					}
				}
				if err := b.Publish(awaittest.Context(t), other.Name, messaging.Message{ID: "last"}); err != nil {
					t.Fatal(err)
				}
				if id := receive(t, copies); id != "last" {
					t.Errorf("the message also went to another queue: got %s", id)
				}
				if err := b.Publish(awaittest.Context(t), q.Name, deadletter.Revive(letter)); err != nil {
					t.Errorf("replay: %v", err)
				}
			})
		}
	}
}

// TestMovedMessageKeepsItsID: RPC's plain clients set a correlation ID only, by which their services recognize a request that
// they have handled before.
func TestMovedMessageKeepsItsID(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	q.DeadLetter = q.Name + ".dead"
	dead := received(t, b, deadLetterQueue(q))
	if _, err := b.Subscribe(awaittest.Context(t), q, func(context.Context, messaging.Message) error {
		return messaging.Reject(errors.New("any"))
	}); err != nil {
		t.Fatal(err)
	}
	for m, want := range map[*messaging.Message]string{{CorrelationID: "7"}: "7", {ID: "8", CorrelationID: "secret"}: "8"} {
		if err := b.Send(awaittest.Context(t), q.Name, *m); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, dead); got != want {
			t.Errorf("ID %q, want %q", got, want)
		}
	}
}

// TestExclusiveOnAQueueOfAnotherType subscribes to an existing quorum queue as a classic one. RabbitMQ ignores the exclusive
// flag on a quorum queue, so the consumers must keep each other out.
func TestExclusiveOnAQueueOfAnotherType(t *testing.T) {
	q := testQueue(t)
	quorum := q
	quorum.Type = messaging.Quorum
	first, second := newTestBroker(t, Options{}), newTestBroker(t, Options{})
	if err := first.Ensure(awaittest.Context(t), quorum); err != nil {
		t.Fatal(err)
	}
	ignore := func(context.Context, messaging.Message) error { return nil }
	if _, err := first.Subscribe(awaittest.Context(t), q, ignore, messaging.WithExclusive()); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Subscribe(awaittest.Context(t), q, ignore, messaging.WithExclusive()); !errors.Is(err, messaging.ErrQueueInUse) {
		t.Errorf("a second consumer: %v, want %v", err, messaging.ErrQueueInUse)
	}
}

// TestDrainGivesBackAtOnce checks that a drain requeues prefetched messages while a handler still runs.
func TestDrainGivesBackAtOnce(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	running, finish := make(chan struct{}), make(chan struct{})
	s, err := b.Subscribe(awaittest.Context(t), q, func(context.Context, messaging.Message) error {
		close(running)
		<-finish
		return nil
	}, messaging.WithPrefetch(10))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"handled", "ahead"} {
		if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	<-running
	drained := make(chan error, 1)
	ctx := awaittest.Context(t)
	go func() { drained <- s.Drain(ctx) }()
	got := received(t, b, q)
	if id := receive(t, got); id != "ahead" {
		t.Errorf("got %s", id)
	}
	close(finish)
	if err := receive(t, drained); err != nil {
		t.Error(err)
	}
}

// TestWorkersStartAsNeeded checks that an idle subscription does not hold a goroutine for each message that it may handle.
func TestWorkersStartAsNeeded(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	const held = 3
	running, finish := make(chan struct{}, held), make(chan struct{})
	s, err := b.Subscribe(awaittest.Context(t), q, func(context.Context, messaging.Message) error {
		running <- struct{}{}
		<-finish
		return nil
	}, messaging.WithConcurrency(64))
	if err != nil {
		t.Fatal(err)
	}
	defer close(finish)
	for range held {
		if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{}); err != nil {
			t.Fatal(err)
		}
		receive(t, running)
	}
	// Each worker holds a slot, and at most one waits for the next message.
	if workers := len(s.(*subscription).slots); workers > held+1 {
		t.Errorf("%d workers while %d messages are handled", workers, held)
	}
}

// TestRejectDuringDrain checks that a message rejected while the subscription drains is dead-lettered.
func TestRejectDuringDrain(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	q.DeadLetter = q.Name + ".dead"
	running, finish := make(chan struct{}), make(chan struct{})
	s, err := b.Subscribe(awaittest.Context(t), q, func(context.Context, messaging.Message) error {
		close(running)
		<-finish
		return messaging.Reject(errors.New("no"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: "rejected"}); err != nil {
		t.Fatal(err)
	}
	<-running
	drained := make(chan error, 1)
	ctx := awaittest.Context(t)
	go func() { drained <- s.Drain(ctx) }()
	<-s.(*subscription).accepting.Done()
	close(finish)
	if err := receive(t, drained); err != nil {
		t.Error(err)
	}
	dead := received(t, b, deadLetterQueue(q))
	if id := receive(t, dead); id != "rejected" {
		t.Errorf("got %s", id)
	}
}
