package rabbitmq

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// publisher publishes on one session, through two channels: of one somebody awaits each confirm, the other is for sends.
type publisher struct {
	session  *session
	sends    *amqp.Channel
	confirms *amqp.Channel
	refused  chan struct{} // filled when the broker refuses a message

	sent   *sentMessages // nil if sends are not confirmed
	lost   atomic.Bool   // sends may be lost, and the observers of losses don't know yet
	closed chan struct{} // nothing is sent any more
	judged chan struct{} // the confirms of all sends have been looked at

	beginning sync.Mutex // publishes take their tags in order

	// Never held across a call into the library: its reader may be waiting for who takes the confirms, and they need it.
	mu      sync.Mutex
	waiting map[uint64]*confirmed // by the confirm channel's delivery tag; nil once the channel has closed
}

// confirmed is a message whose confirm is awaited.
type confirmed struct {
	key    returnKey
	result chan error
}

// returnKey tells which confirmed message a return speaks of, since returns carry no delivery tag. Messages with the same
// one are counted.
type returnKey struct{ queue, id string }

// newPublisher opens the channels. onReturn gets the messages of send that could not be routed. With confirmSends, what
// send sends and the broker refuses is sent again.
func newPublisher(s *session, confirmSends bool, onReturn func(messaging.Return)) (*publisher, error) {
	p := &publisher{
		session: s,
		refused: make(chan struct{}, 1),
		closed:  make(chan struct{}),
		judged:  make(chan struct{}),
		waiting: map[uint64]*confirmed{},
	}
	var err error
	if p.sends, err = s.amqp.Channel(); err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	if p.confirms, err = s.amqp.Channel(); err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	if err := p.confirms.Confirm(false); err != nil {
		return nil, fmt.Errorf("ask for confirms: %w", err)
	}
	if confirmSends {
		if err := p.confirmSends(); err != nil {
			return nil, fmt.Errorf("ask for confirms: %w", err)
		}
	}
	sendReturns := p.sends.NotifyReturn(make(chan amqp.Return, 256))
	s.spawn(func() {
		for r := range sendReturns {
			onReturn(decodeReturn(&r))
		}
	})
	returns := p.confirms.NotifyReturn(make(chan amqp.Return, 256))
	confirmations := p.confirms.NotifyPublish(make(chan amqp.Confirmation, 256))
	s.spawn(func() { p.resolve(confirmations, returns) })
	for _, ch := range []*amqp.Channel{p.sends, p.confirms} {
		s.endWith(ch)
	}
	return p, nil
}

// refuse has new channels opened in place of this publisher's.
func (p *publisher) refuse() {
	select {
	case p.refused <- struct{}{}:
	default:
	}
}

// isIdle reports that nothing awaits its confirm.
func (p *publisher) isIdle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting) == 0 && (p.sent == nil || p.sent.areConfirmed())
}

// close closes the channels once the broker has read what was sent on them. lost is final then.
func (p *publisher) close() {
	_ = p.sends.Close()
	_ = p.confirms.Close()
	close(p.closed)
	if p.sent != nil {
		<-p.judged
	}
}

// endWith ends the session when the channel closes by itself: what is valid never makes the broker close a publishing
// channel, so there is nothing better to do than to begin anew.
func (s *session) endWith(ch *amqp.Channel) {
	closes := ch.NotifyClose(make(chan *amqp.Error, 1))
	s.spawn(func() {
		if err := <-closes; err != nil {
			s.end(fmt.Errorf("publishing channel closed: %w", err))
		}
	})
}

// send writes m to the connection and does not wait for the broker.
func (p *publisher) send(ctx context.Context, queue string, m *messaging.Message) error {
	confirmation, err := p.beginSend(ctx, queue, m)
	if err != nil {
		return err
	}
	if confirmation != nil {
		p.watch(newSent(queue, m, confirmation))
	}
	return notSent(ctx, p.session.socket.Flushed(ctx))
}

// beginSend gives m to the socket. The confirmation is nil if sends are not confirmed.
func (p *publisher) beginSend(ctx context.Context, queue string, m *messaging.Message) (*amqp.DeferredConfirmation, error) {
	if err := p.admit(ctx, m); err != nil {
		return nil, err
	}
	defer p.session.socket.Release(reservation(m))
	confirmation, err := p.sends.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, encode(m, p.session.user))
	return confirmation, notSent(ctx, err)
}

// admit refuses while the broker takes nothing, and waits while the network is slow. The socket's reservation for m has
// to be released.
func (p *publisher) admit(ctx context.Context, m *messaging.Message) error {
	if err := p.session.unavailable(); err != nil {
		return err
	}
	return notSent(ctx, p.session.socket.Reserve(ctx, reservation(m)))
}

// reservation is about what m takes in the socket.
func reservation(m *messaging.Message) int {
	const rest = 1 << 10 // a guess: most headers are short
	return len(m.Body) + rest
}

func notSent(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return fmt.Errorf("%w: %w", messaging.ErrUnavailable, err)
	}
}

// publish sends m and waits for the broker's confirm.
// See https://www.rabbitmq.com/docs/confirms#publisher-confirms.
func (p *publisher) publish(ctx context.Context, queue string, m *messaging.Message) error {
	if err := p.admit(ctx, m); err != nil {
		return err
	}
	if m.ID == "" {
		m.ID = uuid.NewString()
	}
	waiter := &confirmed{key: returnKey{queue, m.ID}, result: make(chan error, 1)}
	confirmation, err := p.begin(ctx, queue, m, waiter)
	p.session.socket.Release(reservation(m))
	if err != nil {
		return notSent(ctx, err)
	}
	select {
	case err := <-waiter.result:
		if err == nil && !confirmation.Acked() {
			p.refuse()
			return fmt.Errorf("%w: refused by the broker", messaging.ErrUnavailable)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin publishes m. The waiter stands before its confirm can come.
func (p *publisher) begin(ctx context.Context, queue string, m *messaging.Message, waiter *confirmed,
) (*amqp.DeferredConfirmation, error) {
	p.beginning.Lock()
	defer p.beginning.Unlock()
	tag := p.confirms.GetNextPublishSeqNo()
	if !p.await(tag, waiter) {
		return nil, amqp.ErrClosed
	}
	confirmation, err := p.confirms.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, encode(m, p.session.user))
	if err != nil {
		p.take(tag)
	}
	return confirmation, err
}

// await reports false if the channel has closed.
func (p *publisher) await(tag uint64, waiter *confirmed) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		return false
	}
	p.waiting[tag] = waiter
	return true
}

// take returns who waits for a tag, or nil.
func (p *publisher) take(tag uint64) *confirmed {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiter := p.waiting[tag]
	delete(p.waiting, tag)
	return waiter
}

// resolve gives each confirm to who waits for it. The broker sends the return of an unroutable message before its
// confirm, so when a confirm is here, the returns that came before it are here too.
func (p *publisher) resolve(confirmations <-chan amqp.Confirmation, returns <-chan amqp.Return) {
	unroutable := map[returnKey]int{}
	for confirmations != nil {
		select {
		case r, ok := <-returns:
			if !ok {
				returns = nil
				continue
			}
			unroutable[keyOf(&r)]++
		case confirmation, ok := <-confirmations:
			if !ok {
				confirmations = nil
				continue
			}
			collect(returns, unroutable)
			p.confirm(confirmation.DeliveryTag, unroutable)
		}
	}
	p.fail()
}

// confirm tells who waits for a tag that its confirm is here, and what it says but for refusals: see confirmSends.
func (p *publisher) confirm(tag uint64, unroutable map[returnKey]int) {
	waiter := p.take(tag)
	if waiter == nil {
		return
	}
	if unroutable[waiter.key] == 0 {
		waiter.result <- nil
		return
	}
	if unroutable[waiter.key]--; unroutable[waiter.key] == 0 {
		delete(unroutable, waiter.key)
	}
	waiter.result <- fmt.Errorf("%w: no queue %s", messaging.ErrUnroutable, waiter.key.queue)
}

// fail ends the waiting of all, and lets no one wait any more.
func (p *publisher) fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, waiter := range p.waiting {
		waiter.result <- fmt.Errorf("%w: channel lost before the confirm", messaging.ErrUnavailable)
	}
	p.waiting = nil
}

func keyOf(r *amqp.Return) returnKey { return returnKey{r.RoutingKey, r.MessageId} }

// collect takes the returns that are here, without waiting for more.
func collect(returns <-chan amqp.Return, into map[returnKey]int) {
	for {
		select {
		case r, ok := <-returns:
			if !ok {
				return
			}
			into[keyOf(&r)]++
		default:
			return
		}
	}
}
