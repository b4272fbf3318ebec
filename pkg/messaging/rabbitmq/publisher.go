package rabbitmq

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// notifications is the capacity of channels that receive from the library's reader, which waits for each receive.
const notifications = 256

// publisher is the pair of channels through which a session publishes: Send uses sends, which waits for nothing, and
// Publish uses confirms, which waits for the confirm of each message.
type publisher struct {
	sends    *amqp.Channel
	confirms *amqp.Channel
	spent    chan struct{} // filled when other channels are to replace these; see refusals

	lookups chan returnLookup
	tracked chan struct{} // closed when trackReturns has ended
	// unroutable has the returned messages whose publish has not asked yet. It belongs to trackReturns until that ends.
	unroutable []returnKey
}

// returnKey identifies the message that a return speaks of, because returns carry no delivery tag.
type returnKey struct{ queue, id string }

// returnLookup asks trackReturns whether a message was returned.
type returnLookup struct {
	key    returnKey
	result chan bool
}

// newPublisher opens the channels. onReturn is called with each message of Send that could not be routed.
func newPublisher(s *session, onReturn func(messaging.Return)) (*publisher, error) {
	p := &publisher{spent: make(chan struct{}, 1), lookups: make(chan returnLookup), tracked: make(chan struct{})}
	var err error
	if p.sends, err = openPublishing(s, s.refusals.confirmsSends()); err != nil {
		return nil, err
	}
	if p.confirms, err = openPublishing(s, true); err != nil {
		return nil, err
	}
	sendReturns := p.sends.NotifyReturn(make(chan amqp.Return, notifications))
	returns := p.confirms.NotifyReturn(make(chan amqp.Return, notifications))
	s.spawn(func() {
		for r := range sendReturns {
			onReturn(decodeReturn(&r))
		}
	})
	if !s.spawn(func() { p.trackReturns(returns) }) {
		return nil, errLost // without the tracker, publishes would wait for their lookup
	}
	return p, nil
}

// openPublishing opens a channel whose end is that of its session: a valid message never makes the broker close a
// publishing channel, so the best response is to begin anew.
func openPublishing(s *session, confirm bool) (*amqp.Channel, error) {
	ch, err := s.amqp.Channel()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	if confirm {
		if err := ch.Confirm(false); err != nil {
			return nil, fmt.Errorf("enable confirms: %w", err)
		}
	}
	closes := ch.NotifyClose(make(chan *amqp.Error, 1))
	s.spawn(func() {
		if err := <-closes; err != nil {
			s.end(fmt.Errorf("publishing channel closed: %w", err))
		}
	})
	return ch, nil
}

// close closes the channels once the broker has read what was sent on them.
func (p *publisher) close() {
	_ = p.sends.Close()
	_ = p.confirms.Close()
}

// send writes m to the connection and does not wait for the broker.
func (s *session) send(ctx context.Context, queue string, m *messaging.Message) error {
	if err := s.admit(ctx, m); err != nil {
		return err
	}
	p := s.publisher.Load()
	confirmation, err := s.write(p.sends, queue, m)
	if err != nil {
		return notSent(ctx, err)
	}
	if confirmation != nil {
		s.refusals.add(newSent(p, queue, m, confirmation))
	}
	return notSent(ctx, s.socket.Flushed(ctx))
}

// publish sends m and waits for the broker's confirm. It gives a message without an ID one.
// See https://www.rabbitmq.com/docs/confirms#publisher-confirms.
func (s *session) publish(ctx context.Context, queue string, m *messaging.Message) error {
	if err := driver.ValidateHeaders(m.Headers, s.maxHeaders()); err != nil {
		return err
	}
	if err := s.admit(ctx, m); err != nil {
		return err
	}
	if m.ID == "" {
		m.ID = cmp.Or(m.CorrelationID, uuid.NewString()) // a moved request of a plain client keeps the ID that it has
	}
	key := returnKey{queue, m.ID}
	p := s.publisher.Load()
	confirmation, err := s.write(p.confirms, queue, m)
	if err != nil {
		return notSent(ctx, err)
	}
	select {
	case <-confirmation.Done():
		return p.verdict(confirmation, key)
	case <-ctx.Done():
		// If its return comes late, it must not count as that of a later message with the same ID.
		s.spawn(func() { <-confirmation.Done(); p.wasReturned(key) })
		return fmt.Errorf("%w: %w", messaging.ErrUnconfirmed, ctx.Err())
	}
}

// verdict says what the broker's confirm means for a message. The library also resolves what is not confirmed, as
// refused, when the channel closes.
func (p *publisher) verdict(confirmation *amqp.DeferredConfirmation, key returnKey) error {
	switch {
	case p.wasReturned(key):
		return fmt.Errorf("%w: no queue %s", messaging.ErrUnroutable, key.queue)
	case confirmation.Acked():
		return nil
	case p.confirms.IsClosed():
		return fmt.Errorf("%w: channel lost before the confirm", messaging.ErrUnconfirmed)
	default:
		p.replace()
		return fmt.Errorf("%w: refused by the broker", messaging.ErrUnavailable)
	}
}

// admit refuses m while the broker takes no messages, and waits while the network is slow. It reserves the capacity that
// write releases. Load the publisher after admit returns: it may have been replaced while admit waited.
func (s *session) admit(ctx context.Context, m *messaging.Message) error {
	if err := s.prober.admit(ctx, len(m.Body)); err != nil {
		return err
	}
	return notSent(ctx, s.socket.Reserve(ctx, reservation(m)))
}

// maxProperties bounds the size of a content header frame without the headers: each short string has up to 256 bytes.
const maxProperties = 11 << 8

// maxHeaders is how many bytes of headers fit the frames that the session has negotiated.
func (s *session) maxHeaders() int { return s.amqp.Config.FrameSize - maxProperties }

// write hands m to the socket. The confirmation is nil on a channel without confirms.
func (s *session) write(ch *amqp.Channel, queue string, m *messaging.Message) (*amqp.DeferredConfirmation, error) {
	defer s.socket.Release(reservation(m))
	s.prober.postpone()
	return ch.PublishWithDeferredConfirm("", queue, true, false, encode(m, s.user))
}

// reservation is about what m takes in the socket.
func reservation(m *messaging.Message) int {
	const rest = 1 << 10 // an estimate: most headers are short
	return len(m.Body) + rest
}

// notSent returns err as the error of a message that was not sent.
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

// trackReturns collects the returned messages of publish until the channel closes. The broker sends the return of an
// unroutable message before its confirm, so the return has arrived when a publish that has its confirm asks.
func (p *publisher) trackReturns(returns <-chan amqp.Return) {
	defer close(p.tracked)
	for {
		select {
		case r, ok := <-returns:
			if !ok {
				return
			}
			p.addReturn(r)
		case lookup := <-p.lookups:
			for range len(returns) {
				p.addReturn(<-returns)
			}
			i := slices.Index(p.unroutable, lookup.key)
			if i >= 0 {
				p.unroutable = slices.Delete(p.unroutable, i, i+1)
			}
			lookup.result <- i >= 0
		}
	}
}

func (p *publisher) addReturn(r amqp.Return) {
	p.unroutable = append(p.unroutable, returnKey{r.RoutingKey, r.MessageId})
}

// wasReturned reports whether a message was returned before its confirm. It may be called once for each message.
func (p *publisher) wasReturned(key returnKey) bool {
	lookup := returnLookup{key, make(chan bool, 1)}
	select {
	case p.lookups <- lookup:
		return <-lookup.result
	case <-p.tracked:
		return slices.Contains(p.unroutable, key)
	}
}
