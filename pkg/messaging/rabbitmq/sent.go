package rabbitmq

import (
	"cmp"
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

const (
	// maxUnconfirmed is how many sends may wait for their confirms, and how many that were refused for new channels.
	maxUnconfirmed = 4096
	// refusedPatience is how long a message without a TTL is sent again when the broker refuses it.
	refusedPatience = 30 * time.Second
)

// sent is a message of send that awaits its confirm.
type sent struct {
	queue        string
	message      messaging.Message
	until        time.Time // when it is of no use any more
	confirmation *amqp.DeferredConfirmation
}

func newSent(queue string, m *messaging.Message, confirmation *amqp.DeferredConfirmation) *sent {
	until := time.Now().Add(cmp.Or(m.TTL, refusedPatience))
	return &sent{queue: queue, message: *m, until: until, confirmation: confirmation}
}

// confirmSends has the broker confirm the sends, and looks out for refusals.
//
// The library's NotifyPublish is no help: when a refusal has come out of order, and then an acknowledgement of all up to a
// later message, it reports both as acknowledged. Its deferred confirmations are right.
func (p *publisher) confirmSends() error {
	if err := p.sends.Confirm(false); err != nil {
		return err
	}
	p.unconfirmed = make(chan *sent, maxUnconfirmed)
	p.session.spawn(p.judgeAll)
	return nil
}

func (p *publisher) judgeAll() {
	defer close(p.judged)
	for {
		select {
		case s := <-p.unconfirmed:
			p.judge(s)
		case <-p.closed:
			for range len(p.unconfirmed) {
				p.judge(<-p.unconfirmed)
			}
			return
		case <-p.session.over:
			return
		}
	}
}

// judge waits for the confirmation of a send, which comes at the latest when the channel ends. The library then counts all
// that is left as refused, though the broker may have taken it.
func (p *publisher) judge(s *sent) {
	<-s.confirmation.Done()
	switch {
	case s.confirmation.Acked():
	case p.sends.IsClosed():
		p.lose()
	default:
		p.takeBack(s)
	}
}

// watch never waits: if the confirms of one queue don't come, because it has lost its leader, the sends to others must go on.
// So many without a confirm count as lost.
func (p *publisher) watch(s *sent) {
	select {
	case p.unconfirmed <- s:
	default:
		p.lose()
	}
}

// lose has new channels opened, and then the observers of losses told.
func (p *publisher) lose() {
	p.lost.Store(true)
	p.refuse()
}

// takeBack has a message sent again that the broker refused: at once if there are new channels, otherwise on those.
func (p *publisher) takeBack(s *sent) {
	if p.keep(s) {
		p.refuse()
		return
	}
	p.session.publisher.Load().sendAgain(s)
}

// keep reports false if there are new channels.
func (p *publisher) keep(s *sent) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.replaced {
		return false
	}
	if len(p.refusedSends) >= maxUnconfirmed {
		p.lost.Store(true)
		return true
	}
	p.refusedSends = append(p.refusedSends, s)
	return true
}

// giveBack sends what was refused on the channels that have replaced this publisher's.
func (p *publisher) giveBack() {
	p.mu.Lock()
	refused := p.refusedSends
	p.refusedSends, p.replaced = nil, true
	p.mu.Unlock()
	for _, s := range refused {
		p.session.publisher.Load().sendAgain(s)
	}
}

// sendAgain sends what was refused, unless its time is over. Nobody has it, so that it arrives once.
func (p *publisher) sendAgain(s *sent) {
	left := time.Until(s.until)
	if left <= 0 {
		return
	}
	if s.message.TTL > 0 {
		s.message.TTL = left
	}
	ctx, cancel := context.WithDeadline(context.Background(), s.until)
	defer cancel()
	confirmation, err := p.beginSend(ctx, s.queue, &s.message)
	if err != nil {
		p.lose()
		return
	}
	s.confirmation = confirmation
	p.watch(s)
}
