package rabbitmq

import (
	"context"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

const (
	// maxUnconfirmed bounds the sends that await their confirms, and those refused that await new channels.
	maxUnconfirmed = 4096
	// maxKeptBytes bounds the bodies that are kept in case the broker refuses them.
	maxKeptBytes = 64 << 20
	// refusedPatience is how long a message that the broker refuses is sent again.
	refusedPatience = 30 * time.Second
	// judgeInterval is how often confirms are looked at.
	judgeInterval = 50 * time.Millisecond
)

// sent is a message of send that awaits its confirm.
type sent struct {
	queue        string
	message      *messaging.Message // a copy; nil if there was no room for one
	expiry       time.Time          // the broker drops it then; zero: never
	until        time.Time          // it is not sent again after that
	confirmation *amqp.DeferredConfirmation
}

func newSent(queue string, m *messaging.Message, confirmation *amqp.DeferredConfirmation) *sent {
	now := time.Now()
	s := &sent{queue: queue, message: m, until: now.Add(refusedPatience), confirmation: confirmation}
	if m.TTL > 0 {
		s.expiry = now.Add(m.TTL)
		if s.expiry.Before(s.until) {
			s.until = s.expiry
		}
	}
	return s
}

func (s *sent) bytes() int {
	if s.message == nil {
		return 0
	}
	return len(s.message.Body)
}

func (s *sent) isJudged() bool {
	select {
	case <-s.confirmation.Done():
		return true
	default:
		return false
	}
}

// sentMessages are the sends of one publisher that may have to be sent again.
type sentMessages struct {
	mu          sync.Mutex
	unconfirmed []*sent
	refused     []*sent // that wait for new channels
	bytes       int     // of the bodies of both
	replaced    bool    // there are new channels
}

// add reports false if too many are unconfirmed. It copies the message, which is its sender's.
func (l *sentMessages) add(s *sent) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.unconfirmed) >= maxUnconfirmed {
		return false
	}
	if l.bytes+s.bytes() > maxKeptBytes {
		s.message = nil
	} else {
		kept := s.message.Normalize()
		s.message = &kept
	}
	l.bytes += s.bytes()
	l.unconfirmed = append(l.unconfirmed, s)
	return true
}

// takeJudged takes out those of which the confirm is here, or can't come any more.
func (l *sentMessages) takeJudged() (judged []*sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unconfirmed = slices.DeleteFunc(l.unconfirmed, func(s *sent) bool {
		if !s.isJudged() {
			return false
		}
		judged = append(judged, s)
		l.bytes -= s.bytes()
		return true
	})
	return judged
}

// keep keeps what was refused for new channels. kept is false if there is no room, replaced true if there are such.
func (l *sentMessages) keep(s *sent) (kept, replaced bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.replaced || len(l.refused) >= maxUnconfirmed || l.bytes+s.bytes() > maxKeptBytes {
		return false, l.replaced
	}
	l.bytes += s.bytes()
	l.refused = append(l.refused, s)
	return true, false
}

// takeRefused takes out what was refused: there are new channels.
func (l *sentMessages) takeRefused() []*sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	refused := l.refused
	l.refused, l.replaced = nil, true
	for _, s := range refused {
		l.bytes -= s.bytes()
	}
	return refused
}

func (l *sentMessages) areConfirmed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.unconfirmed) == 0
}

// confirmSends has the broker confirm the sends, and looks out for refusals.
//
// The library's NotifyPublish is no help: when a refusal has come out of order, and then an acknowledgement of all up to a
// later message, it reports both as acknowledged. Its deferred confirmations are right.
func (p *publisher) confirmSends() error {
	if err := p.sends.Confirm(false); err != nil {
		return err
	}
	p.sent = &sentMessages{}
	p.session.spawn(p.judgeAll)
	return nil
}

// watch never waits: if the confirms of one queue don't come, because it has lost its leader, the sends to others must go on.
// So many without a confirm count as lost.
func (p *publisher) watch(s *sent) {
	if !p.sent.add(s) {
		p.lose()
	}
}

// judgeAll looks at the confirms now and then: the wait for one would hold up those of other queues.
func (p *publisher) judgeAll() {
	defer close(p.judged)
	tick := time.NewTicker(judgeInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.judge()
		case <-p.closed:
			p.judge()
			return
		case <-p.session.over:
			return
		}
	}
}

// judge tells refusals from what was not confirmed before the channel closed, which the broker may have taken.
func (p *publisher) judge() {
	for _, s := range p.sent.takeJudged() {
		switch {
		case s.confirmation.Acked():
		case p.sends.IsClosed():
			p.lose()
		default:
			p.takeBack(s)
		}
	}
}

// takeBack has a message sent again that was refused: at once if the channels have been replaced already, otherwise when
// they are.
func (p *publisher) takeBack(s *sent) {
	now := time.Now()
	switch {
	case !s.expiry.IsZero() && !now.Before(s.expiry): // of no use any more
		return
	case s.message == nil || !now.Before(s.until):
		p.lose()
		return
	}
	switch kept, replaced := p.sent.keep(s); {
	case kept:
		p.refuse()
	case replaced:
		p.session.publisher.Load().sendAgain(s)
	default:
		p.lose()
	}
}

// giveBack sends what was refused on the channels that have replaced this publisher's.
func (p *publisher) giveBack() {
	if p.sent == nil {
		return
	}
	for _, s := range p.sent.takeRefused() {
		p.session.publisher.Load().sendAgain(s)
	}
}

// sendAgain sends what was refused.
func (p *publisher) sendAgain(s *sent) {
	ctx, cancel := context.WithDeadline(context.Background(), s.until)
	defer cancel()
	if !s.expiry.IsZero() {
		s.message.TTL = max(time.Until(s.expiry), time.Millisecond)
	}
	confirmation, err := p.beginSend(ctx, s.queue, s.message)
	if err != nil {
		p.takeBack(s)
		return
	}
	s.confirmation = confirmation
	p.watch(s)
}

// lose has new channels opened, and then the observers of losses told.
func (p *publisher) lose() {
	p.lost.Store(true)
	p.refuse()
}
