package rabbitmq

import (
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

const (
	// maxSent bounds the sends that await their confirms, or are to be sent again.
	maxSent = 1 << 14
	// maxSentBytes bounds the bodies that are kept of those.
	maxSentBytes = 64 << 20
	// sentPatience is how long after it was sent first a message is sent again if the broker refuses it.
	sentPatience = 30 * time.Second
	// sweepInterval is how often confirms are looked at: the wait for one would hold up those of other queues.
	sweepInterval = 50 * time.Millisecond
)

// sent is a message of send that the broker has not confirmed.
type sent struct {
	publisher    *publisher // that sent it last
	queue        string
	message      *messaging.Message // a copy; nil if there was no room for one
	expiry       time.Time          // the broker drops it then; zero: never
	until        time.Time          // it is not sent again after that
	confirmation *amqp.DeferredConfirmation
	refused      bool // by the broker, and not sent again yet
}

func newSent(p *publisher, queue string, m *messaging.Message, confirmation *amqp.DeferredConfirmation) *sent {
	now := time.Now()
	kept := driver.Normalize(*m)
	s := &sent{publisher: p, queue: queue, message: &kept, until: now.Add(sentPatience), confirmation: confirmation}
	if m.TTL > 0 {
		s.expiry = now.Add(m.TTL)
	}
	return s
}

func (s *sent) isJudged() bool {
	select {
	case <-s.confirmation.Done():
		return true
	default:
		return false
	}
}

func (s *sent) isExpired(now time.Time) bool { return !s.expiry.IsZero() && !now.Before(s.expiry) }

func (s *sent) bytes() int {
	if s.message == nil {
		return 0
	}
	return len(s.message.Body)
}

// sentMessages are the sends of a session that are not confirmed. What the broker refuses is sent again.
type sentMessages struct {
	session *session
	onLoss  func()

	mu     sync.Mutex
	list   []*sent
	bytes  int        // of their bodies
	lostBy *publisher // whose sends may be lost, and the observers of losses don't know yet; nil: nobody's
}

// add never waits: if the confirms of one queue don't come, because it has lost its leader, the sends to others must go on.
// So many without a confirm count as lost.
func (l *sentMessages) add(s *sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= maxSent {
		l.list, l.bytes = nil, 0
		l.lose(s.publisher)
	}
	if l.bytes+s.bytes() > maxSentBytes {
		s.message = nil
	}
	l.bytes += s.bytes()
	l.list = append(l.list, s)
}

// areConfirmed reports that none of a publisher's sends awaits its confirm.
func (l *sentMessages) areConfirmed(p *publisher) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.ContainsFunc(l.list, func(s *sent) bool { return s.publisher == p && !s.refused })
}

// run sweeps until the session is over.
func (l *sentMessages) run() {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if l.sweep() {
				l.onLoss()
			}
		case <-l.session.over:
			return
		}
	}
}

// sweep settles what can be settled. lost is true if the observers of losses are to be told: when there are new channels.
// It may hold the lock while it sends: the socket only accepts, and sendAgain never waits for room.
func (l *sentMessages) sweep() (lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	current := l.session.publisher.Load()
	l.list = slices.DeleteFunc(l.list, func(s *sent) bool {
		settled := l.settle(s, current)
		if settled {
			l.bytes -= s.bytes()
		}
		return settled
	})
	if l.lostBy == nil || l.lostBy == current {
		return false
	}
	l.lostBy = nil
	return true
}

// settle reports whether no more is to be done for a message. When a channel closes, the library counts what the broker
// has not confirmed as refused, though it may have taken it; by then IsClosed is true.
func (l *sentMessages) settle(s *sent, current *publisher) bool {
	now := time.Now()
	switch {
	case !s.refused && !s.isJudged():
		return false
	case !s.refused && s.confirmation.Acked(), s.isExpired(now):
		return true
	case !s.refused && s.publisher.sends.IsClosed(), s.message == nil, now.After(s.until):
		l.lose(s.publisher)
		return true
	}
	s.refused = true
	if s.publisher == current {
		current.replace()
	} else {
		l.sendAgain(s, current)
	}
	return false
}

// sendAgain sends what was refused, unless it would have to wait: then the next sweep does.
func (l *sentMessages) sendAgain(s *sent, by *publisher) {
	if l.session.unavailable() != nil {
		return
	}
	n := reservation(s.message)
	if room, err := l.session.socket.reserve(n); room != nil || err != nil {
		return
	}
	defer l.session.socket.Release(n)
	if !s.expiry.IsZero() {
		s.message.TTL = max(time.Until(s.expiry), time.Millisecond)
	}
	confirmation, err := by.beginSend(s.queue, s.message)
	if err != nil {
		return
	}
	s.publisher, s.confirmation, s.refused = by, confirmation, false
}

// lose has new channels opened, unless there are some, and then the observers of losses told.
func (l *sentMessages) lose(p *publisher) {
	l.lostBy = p
	p.replace()
}
