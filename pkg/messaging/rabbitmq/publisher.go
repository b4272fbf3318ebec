package rabbitmq

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// publisher publishes on one session, through two channels: of one somebody awaits each confirm, the other is for sends.
type publisher struct {
	session  *session
	sends    *amqp.Channel
	confirms *amqp.Channel
	spent    chan struct{} // filled when new channels are to replace these

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

// newPublisher opens the channels. onReturn gets the messages of send that could not be routed.
func newPublisher(s *session, onReturn func(messaging.Return)) (*publisher, error) {
	p := &publisher{
		session: s,
		spent:   make(chan struct{}, 1),
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
	// The library's NotifyPublish is no help for sends: when a refusal has come out of order, and then an acknowledgement of all
	// up to a later message, it reports both as acknowledged. Its deferred confirmations are right.
	if s.sent != nil {
		if err := p.sends.Confirm(false); err != nil {
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

// replace has new channels opened in place of this publisher's.
func (p *publisher) replace() {
	select {
	case p.spent <- struct{}{}:
	default:
	}
}

// isIdle reports that nothing awaits its confirm.
func (p *publisher) isIdle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting) == 0 && (p.session.sent == nil || p.session.sent.areConfirmed(p))
}

// close closes the channels once the broker has read what was sent on them.
func (p *publisher) close() {
	_ = p.sends.Close()
	_ = p.confirms.Close()
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
func (s *session) send(ctx context.Context, queue string, m *messaging.Message) error {
	if err := s.admit(ctx, m); err != nil {
		return err
	}
	err := s.publisher.Load().send(queue, m)
	s.socket.Release(reservation(m))
	if err != nil {
		return notSent(ctx, err)
	}
	return notSent(ctx, s.socket.Flushed(ctx))
}

// admit refuses while the broker takes nothing, and waits while the network is slow. The socket's reservation for m has
// to be released. Who publishes takes the publisher after that: it may have been replaced meanwhile.
func (s *session) admit(ctx context.Context, m *messaging.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.unavailable(); err != nil {
		return err
	}
	return notSent(ctx, s.socket.Reserve(ctx, reservation(m)))
}

// reservation is about what m takes in the socket.
func reservation(m *messaging.Message) int {
	const rest = 1 << 10 // a guess: most headers are short
	return len(m.Body) + rest
}

func (p *publisher) send(queue string, m *messaging.Message) error {
	confirmation, err := p.beginSend(queue, m)
	if err == nil && confirmation != nil {
		p.session.sent.add(newSent(p, queue, m, confirmation))
	}
	return err
}

// beginSend gives m to the socket. The confirmation is nil if sends are not confirmed.
func (p *publisher) beginSend(queue string, m *messaging.Message) (*amqp.DeferredConfirmation, error) {
	return p.sends.PublishWithDeferredConfirm("", queue, true, false, encode(m, p.session.user))
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
func (s *session) publish(ctx context.Context, queue string, m *messaging.Message) error {
	if err := s.admit(ctx, m); err != nil {
		return err
	}
	if m.ID == "" {
		m.ID = uuid.NewString()
	}
	p := s.publisher.Load()
	waiter := &confirmed{key: returnKey{queue, m.ID}, result: make(chan error, 1)}
	confirmation, err := p.begin(queue, m, waiter)
	s.socket.Release(reservation(m))
	if err != nil {
		return notSent(ctx, err)
	}
	select {
	case err := <-waiter.result:
		if err == nil && !confirmation.Acked() {
			p.replace()
			return fmt.Errorf("%w: refused by the broker", messaging.ErrUnavailable)
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", messaging.ErrUnconfirmed, ctx.Err())
	}
}

// begin publishes m. The waiter stands before its confirm can come.
func (p *publisher) begin(queue string, m *messaging.Message, waiter *confirmed) (*amqp.DeferredConfirmation, error) {
	p.beginning.Lock()
	defer p.beginning.Unlock()
	tag := p.confirms.GetNextPublishSeqNo()
	if !p.await(tag, waiter) {
		return nil, amqp.ErrClosed
	}
	confirmation, err := p.confirms.PublishWithDeferredConfirm("", queue, true, false, encode(m, p.session.user))
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

// confirm tells who waits for a tag that its confirm is here, and what it says but for refusals: see newPublisher.
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
		waiter.result <- fmt.Errorf("%w: channel lost before the confirm", messaging.ErrUnconfirmed)
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
