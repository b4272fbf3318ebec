package rabbitmq

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// sentBy is a message that the broker has not confirmed.
func sentBy(p *publisher, m messaging.Message) *sent {
	return newSent(p, "q", &m, &amqp.DeferredConfirmation{})
}

func newTestPublisher() *publisher { return &publisher{spent: make(chan struct{}, 1)} }

func newSentMessages(current *publisher) *sentMessages {
	l := &sentMessages{session: &session{}}
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
		t.Errorf("what is kept (-want +got):\n%s", diff)
	}
}

func TestSentBodiesAreBounded(t *testing.T) {
	l := newSentMessages(newTestPublisher())
	large := messaging.Message{Body: make([]byte, messaging.MaxBodyBytes)}
	for range 2 * maxSentBytes / messaging.MaxBodyBytes {
		l.add(sentBy(nil, large))
	}
	if l.bytes > maxSentBytes || l.bytes < maxSentBytes-messaging.MaxBodyBytes {
		t.Errorf("%d bytes of bodies kept, want about %d", l.bytes, maxSentBytes)
	}
}

// TestTooManySentAreLost once they have new channels.
func TestTooManySentAreLost(t *testing.T) {
	p := newTestPublisher()
	l := newSentMessages(p)
	for range maxSent {
		l.add(sentBy(p, messaging.Message{}))
	}
	if l.sweep() || len(p.spent) > 0 {
		t.Errorf("%d count as lost", maxSent)
	}
	l.add(sentBy(p, messaging.Message{}))
	if len(p.spent) == 0 {
		t.Error("no new channels asked for")
	}
	if l.sweep() {
		t.Error("the loss told before there are new channels")
	}
	l.session.publisher.Store(newTestPublisher())
	if !l.sweep() {
		t.Error("the loss not told")
	}
	if l.sweep() {
		t.Error("the loss told twice")
	}
	if len(l.list) != 1 {
		t.Errorf("%d await their confirms, want 1", len(l.list))
	}
}

// TestRefusedIsGivenUp when it is of no use any more, which is no loss, or when it was tried for long enough, which is one.
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
			l := newSentMessages(p)
			s := sentBy(p, messaging.Message{TTL: test.ttl, Body: []byte("body")})
			l.add(s)
			s.refused = true
			s.until = s.until.Add(-test.after)
			if test.ttl > 0 {
				s.expiry = s.expiry.Add(-test.after)
			}
			l.sweep()
			if gone := len(l.list) == 0; gone != test.gone {
				t.Errorf("given up %t, want %t", gone, test.gone)
			}
			if lost := l.lostBy != nil; lost != test.lost {
				t.Errorf("lost %t, want %t", lost, test.lost)
			}
			if test.gone && l.bytes != 0 {
				t.Errorf("%d bytes of bodies kept, want none", l.bytes)
			}
			if wait := !test.gone || test.lost; wait != (len(p.spent) > 0) {
				t.Errorf("new channels asked for: %t, want %t", !wait, wait)
			}
		})
	}
}
