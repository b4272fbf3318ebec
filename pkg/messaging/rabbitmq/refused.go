// RabbitMQ 3.10 needs this file. Measured with 3.10.8 and quorum queues: while a queue has no leader (about 0.5 s after its
// node was killed) the broker refuses messages with basic.nack, and a channel that published meanwhile may go on to refuse
// all that follows. So messages that the broker refused are sent again, and on new channels. Later versions have not been
// measured: before you delete the file, run TestLongClusterLosesLeader, TestRefusal and TestRefusedIsSentAgain without it.
//
// To delete it, remove refused_test.go, the tests named above that no longer apply, Options.ConfirmSends, and what the
// compiler then reports: the uses of session.refusals and publisher.spent. session.publisher becomes a plain field.

package rabbitmq

import (
	"fmt"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

const (
	// maxSent bounds the sends that wait for their confirms or are to be sent again.
	maxSent = 1 << 14
	// maxSentBytes bounds the copies of their bodies.
	maxSentBytes = 64 << 20
	// sentPatience is how long a refused message is sent again, from the first time it was sent.
	sentPatience = 30 * time.Second
	// sweepInterval is how often confirms are looked at: waiting for one would hold up those of other queues.
	sweepInterval = 50 * time.Millisecond
	// lastConfirms is how long replaced channels stay open, for the publishers that are about to use them and for confirms:
	// the broker drops silently what arrives after the close.
	lastConfirms = 10 * time.Second
)

// refusals is what one session does about the messages that the broker refuses: it replaces the publisher, and with
// Options.ConfirmSends it keeps each send until it is confirmed, to send it again. A nil *refusals does neither.
type refusals struct {
	broker  *Broker
	session *session

	mu     sync.Mutex // may be held while sending: the socket only buffers, and sendAgain never waits for capacity
	list   []*sent
	bytes  int        // of the copies in list
	lostBy *publisher // whose sends may be lost, while the observers of losses have not been notified; nil: none
}

// sent is a message of Send that the broker has not confirmed.
type sent struct {
	publisher    *publisher // that sent it last
	queue        string
	message      *messaging.Message // a copy; nil if it would have exceeded maxSentBytes
	expiry       time.Time          // when the broker drops it; zero: never
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

func (s *sent) isResolved() bool {
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

// replace asks for new channels in place of this publisher's.
func (p *publisher) replace() { signal(p.spent) }

// confirmsSends reports whether the broker is to confirm sends.
//
// They are followed by the library's deferred confirmations. Its NotifyPublish is wrong when a refusal came out of order
// and an acknowledgement of all up to a later message follows: it reports both as acknowledged.
func (r *refusals) confirmsSends() bool { return r != nil && r.broker.options.ConfirmSends }

// start watches for refusals of p, and then of the publishers that replace it, until the session ends.
func (r *refusals) start(p *publisher) {
	r.session.spawn(func() { r.renew(p) })
	if r.confirmsSends() {
		r.session.spawn(r.run)
	}
}

// renew replaces the publisher whenever the broker has refused a message. A queue that is full, or has no leader yet,
// refuses on new channels too, hence the pauses.
func (r *refusals) renew(p *publisher) {
	s, pause := r.session, newBackOff()
	for {
		opened := time.Now()
		select {
		case <-p.spent:
		case <-s.ctx.Done():
			return
		}
		if time.Since(opened) > lastRedial {
			pause.Reset()
		}
		sleep(s.ctx, pause.NextBackOff())
		next, err := newPublisher(s, r.broker.returned)
		if err != nil {
			s.end(fmt.Errorf("replace channels on which the broker refuses messages: %w", err))
			return
		}
		r.broker.options.Logger.Warn("opened new channels: the broker refused a message, or too many wait for their confirms")
		s.publisher.Store(next)
		replaced := p
		s.spawn(func() {
			sleep(s.ctx, lastConfirms)
			replaced.close()
		})
		p = next
	}
}

// add keeps a message until its confirm. It never waits: when the confirms of one queue are missing, because it has lost
// its leader, sends to others must go on. Beyond maxSent, messages count as lost.
func (r *refusals) add(s *sent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) >= maxSent {
		r.list, r.bytes = nil, 0
		r.lose(s.publisher)
	}
	if r.bytes+s.bytes() > maxSentBytes {
		s.message = nil
	}
	r.bytes += s.bytes()
	r.list = append(r.list, s)
}

// run sweeps until the session ends.
func (r *refusals) run() {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.session.ctx.Done():
			return
		}
		if r.sweep() {
			r.broker.losses.Notify(struct{}{})
		}
	}
}

// sweep settles what can be settled. It reports whether to notify the observers of losses, which is when the publisher
// whose messages are lost has been replaced.
func (r *refusals) sweep() (lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	current := r.session.publisher.Load()
	r.list = slices.DeleteFunc(r.list, func(s *sent) bool {
		settled := r.settle(s, current)
		if settled {
			r.bytes -= s.bytes()
		}
		return settled
	})
	if r.lostBy == nil || r.lostBy == current {
		return false
	}
	r.lostBy = nil
	return true
}

// settle reports whether a message is done with. When a channel closes, the library reports what the broker has not
// confirmed as refused, though the broker may have taken it; by then IsClosed is true.
func (r *refusals) settle(s *sent, current *publisher) bool {
	now := time.Now()
	switch {
	case !s.refused && !s.isResolved():
		return false
	case !s.refused && s.confirmation.Acked(), s.isExpired(now):
		return true
	case !s.refused && s.publisher.sends.IsClosed(), s.message == nil, now.After(s.until):
		r.lose(s.publisher)
		return true
	}
	s.refused = true
	if s.publisher == current {
		current.replace()
	} else {
		r.sendAgain(s, current)
	}
	return false
}

// sendAgain sends what was refused. If it would have to wait, it leaves that to the next sweep.
func (r *refusals) sendAgain(s *sent, by *publisher) {
	if r.session.unavailable() != nil {
		return
	}
	if full, err := r.session.socket.reserve(reservation(s.message)); full != nil || err != nil {
		return
	}
	if !s.expiry.IsZero() {
		s.message.TTL = max(time.Until(s.expiry), time.Millisecond)
	}
	if confirmation, err := r.session.write(by.sends, s.queue, s.message); err == nil {
		s.publisher, s.confirmation, s.refused = by, confirmation, false
	}
}

// lose asks for new channels, after which sweep has the observers of losses notified.
func (r *refusals) lose(p *publisher) {
	r.lostBy = p
	p.replace()
}
