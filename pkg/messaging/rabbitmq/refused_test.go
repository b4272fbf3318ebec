package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

// sentBy returns a message that the broker has not confirmed.
func sentBy(p *publisher, m messaging.Message) *sent {
	return newSent(p, "q", &m, &amqp.DeferredConfirmation{})
}

func newTestPublisher() *publisher { return &publisher{spent: make(chan struct{}, 1)} }

func newTestRefusals(current *publisher) *refusals {
	l := &refusals{session: &session{}}
	l.session.publisher.Store(current)
	return l
}

func TestSentIsACopy(t *testing.T) {
	m := messaging.Message{ID: "1", Headers: map[string]any{"a": "before"}, Body: []byte("before")}
	s := sentBy(nil, m)
	m.Headers["a"] = "after"
	copy(m.Body, "after.")
	want := &messaging.Message{ID: "1", Headers: map[string]any{"a": "before"}, Body: []byte("before")}
	if diff := cmp.Diff(want, s.message); diff != "" {
		t.Errorf("kept message (-want +got):\n%s", diff)
	}
}

func TestSentBodiesAreBounded(t *testing.T) {
	l := newTestRefusals(newTestPublisher())
	large := messaging.Message{Body: make([]byte, messaging.MaxBodyBytes)}
	for range 2 * maxSentBytes / messaging.MaxBodyBytes {
		l.add(sentBy(nil, large))
	}
	if l.bytes > maxSentBytes || l.bytes < maxSentBytes-messaging.MaxBodyBytes {
		t.Errorf("%d bytes of bodies kept, want about %d", l.bytes, maxSentBytes)
	}
}

// TestTooManySentAreLost checks that the loss is reported once, after the channels were replaced.
func TestTooManySentAreLost(t *testing.T) {
	p := newTestPublisher()
	l := newTestRefusals(p)
	for range maxSent {
		l.add(sentBy(p, messaging.Message{}))
	}
	if l.sweep() || len(p.spent) > 0 {
		t.Errorf("%d messages count as lost", maxSent)
	}
	l.add(sentBy(p, messaging.Message{}))
	if len(p.spent) == 0 {
		t.Error("new channels were not requested")
	}
	if l.sweep() {
		t.Error("the loss was reported before there are new channels")
	}
	l.session.publisher.Store(newTestPublisher())
	if !l.sweep() {
		t.Error("the loss was not reported")
	}
	if l.sweep() {
		t.Error("the loss was reported twice")
	}
	if len(l.list) != 1 {
		t.Errorf("%d messages wait for their confirms, want 1", len(l.list))
	}
}

// TestRefusedIsGivenUp checks when a refused message is dropped: after its TTL, which is no loss, or after sentPatience,
// which is one.
func TestRefusedIsGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		ttl   time.Duration
		after time.Duration
		gone  bool
		lost  bool
	}{
		"not yet":            {ttl: time.Second, after: time.Second / 2},
		"TTL over":           {ttl: time.Second, after: time.Second, gone: true},
		"no TTL, not yet":    {after: sentPatience / 2},
		"no TTL, tried long": {after: sentPatience + time.Second, gone: true, lost: true},
		"TTL, tried long":    {ttl: time.Hour, after: sentPatience + time.Second, gone: true, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTestPublisher()
			l := newTestRefusals(p)
			s := sentBy(p, messaging.Message{TTL: test.ttl, Body: []byte("body")})
			l.add(s)
			s.refused = true
			s.until = s.until.Add(-test.after)
			if test.ttl > 0 {
				s.expiry = s.expiry.Add(-test.after)
			}
			l.sweep()
			if gone := len(l.list) == 0; gone != test.gone {
				t.Errorf("dropped: %t, want %t", gone, test.gone)
			}
			if lost := l.lostBy != nil; lost != test.lost {
				t.Errorf("lost: %t, want %t", lost, test.lost)
			}
			if test.gone && l.bytes != 0 {
				t.Errorf("%d bytes of bodies kept, want none", l.bytes)
			}
			if wait := !test.gone || test.lost; wait != (len(p.spent) > 0) {
				t.Errorf("new channels requested: %t, want %t", !wait, wait)
			}
		})
	}
}

// TestRefusal publishes to a full queue, which refuses the messages, so that the channels are replaced. Messages to another
// queue must be neither refused nor lost meanwhile.
func TestRefusal(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		publish func(b *Broker, queue string) error
	}{
		"sent":                         {Options{ConfirmSends: true}, sendTo},
		"published":                    {Options{ConfirmSends: true}, publishTo},
		"published, sends unconfirmed": {Options{}, publishTo},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTestBroker(t, test.options)
			var losses atomic.Int32
			defer b.OnLoss(func() { losses.Add(1) })()
			full, q := declareFull(t, b), testQueue(t)
			var got sync.Map
			if _, err := b.Subscribe(awaittest.Context(t), q, func(_ context.Context, m messaging.Message) error {
				got.Store(m.ID, nil)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			stop := keepPublishing(t, b, q.Name)
			for range 3 {
				replaced := awaitNewChannels(t, b)
				if err := test.publish(b, full); err != nil && !errors.Is(err, messaging.ErrUnavailable) {
					t.Errorf("to a full queue: %v", err)
				}
				replaced()
			}
			ids := stop()
			awaittest.Until(t, "all messages", func() bool {
				return !slices.ContainsFunc(ids, func(id string) bool {
					_, ok := got.Load(id)
					return !ok
				})
			})
			awaitConfirms(t, b, full)
			if n := losses.Load(); n != 0 {
				t.Errorf("%d losses, want none", n)
			}
		})
	}
}

// awaitNewChannels returns a function that waits until the current publishing channels have been replaced.
func awaitNewChannels(t *testing.T, b *Broker) (replaced func()) {
	t.Helper()
	s, err := b.publishing.session()
	if err != nil {
		t.Fatal(err)
	}
	before := s.publisher.Load()
	return func() {
		t.Helper()
		awaittest.Until(t, "new channels", func() bool { return s.publisher.Load() != before })
	}
}

// awaitConfirms waits until all sends are confirmed, except those to queues that stay full.
func awaitConfirms(t *testing.T, b *Broker, full ...string) {
	t.Helper()
	s, err := b.publishing.session()
	if err != nil {
		t.Fatal(err)
	}
	if !s.refusals.confirmsSends() {
		return
	}
	awaittest.Until(t, "the confirms", func() bool {
		s.refusals.mu.Lock()
		defer s.refusals.mu.Unlock()
		return !slices.ContainsFunc(s.refusals.list, func(m *sent) bool { return !slices.Contains(full, m.queue) })
	})
}

// TestRefusedIsSentAgain sends to a full queue until it has capacity. The messages whose TTL is not over must arrive once.
func TestRefusedIsSentAgain(t *testing.T) {
	b := newTestBroker(t, Options{ConfirmSends: true})
	full := declareFull(t, b)
	send := func(m messaging.Message) {
		t.Helper()
		if err := b.Send(awaittest.Context(t), full, m); err != nil {
			t.Fatal(err)
		}
	}
	replaced := awaitNewChannels(t, b)
	send(messaging.Message{ID: "expires", TTL: 50 * time.Millisecond}) // over before there are new channels
	send(messaging.Message{ID: "lives", TTL: time.Minute})
	send(messaging.Message{ID: "no TTL"})
	replaced()
	awaitNewChannels(t, b)() // refused twice

	got := make(chan messaging.Message, 10)
	queue := messaging.Queue{Name: full, Durable: true}
	if _, err := b.Subscribe(awaittest.Context(t), queue, func(_ context.Context, m messaging.Message) error {
		got <- m
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, got); m.ID != filler {
		t.Errorf("%q arrived, want %q", m.ID, filler)
	}
	left := map[string]bool{"lives": true, "no TTL": true}
	for len(left) > 0 {
		m := receive(t, got)
		if !left[m.ID] {
			t.Errorf("%q arrived, want each of the others once", m.ID)
		}
		delete(left, m.ID)
		if m.ID == "lives" && m.TTL >= time.Minute {
			t.Errorf("sent again with a TTL of %s, want the remaining one", m.TTL)
		}
	}
	awaitConfirms(t, b) // a duplicate would be in the queue by now
	send(messaging.Message{ID: "marker"})
	if m := receive(t, got); m.ID != "marker" {
		t.Errorf("%q arrived a second time", m.ID)
	}
}

func sendTo(b *Broker, queue string) error {
	return b.Send(context.Background(), queue, messaging.Message{})
}

func publishTo(b *Broker, queue string) error {
	return b.Publish(context.Background(), queue, messaging.Message{})
}

// keepPublishing sends and publishes until stop, which returns the IDs of all messages. It fails the test if one is refused.
func keepPublishing(t *testing.T, b *Broker, queue string) (stop func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(awaittest.Context(t))
	var running sync.WaitGroup
	var mu sync.Mutex
	var ids []string
	for worker := range 32 {
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprint(worker, "-", i)
				publish := b.Send
				// Workers that only send would run ahead of the confirms, until the messages count as lost.
				if worker%4 == 0 || i%16 == 0 {
					publish = b.Publish
				}
				if err := publish(awaittest.Context(t), queue, messaging.Message{ID: id}); err != nil {
					t.Errorf("publish to another queue: %v", err)
					return
				}
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
			}
		})
	}
	return func() []string {
		cancel()
		running.Wait()
		return ids
	}
}

// filler is the ID of the message that fills the queue of declareFull.
const filler = "filler"

// declareFull declares a queue that refuses messages until it is consumed, and returns its name.
func declareFull(t *testing.T, b *Broker) string {
	t.Helper()
	s, err := b.consuming.session()
	if err != nil {
		t.Fatal(err)
	}
	ch, err := s.amqp.Channel()
	if err != nil {
		t.Fatal(err)
	}
	name := testQueue(t).Name
	arguments := amqp.Table{
		"x-queue-type": "classic", "x-max-length": int64(1), "x-overflow": "reject-publish", "x-expires": time.Minute.Milliseconds(),
	}
	if _, err := ch.QueueDeclare(name, true, false, false, false, arguments); err != nil {
		t.Fatal(err)
	}
	if err := ch.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(awaittest.Context(t), name, messaging.Message{ID: filler}); err != nil {
		t.Fatal(err)
	}
	return name
}
