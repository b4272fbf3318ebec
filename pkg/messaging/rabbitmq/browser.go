package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
)

const (
	// browserPatience bounds each step of a browser. A broker that blocks a connection does not read from it, and therefore
	// does not respond.
	browserPatience = 10 * time.Second
	// browserQuiet is how long a cursor waits for a message before it checks that the queue still has one.
	browserQuiet = 200 * time.Millisecond
	// windowSize is the prefetch of a cursor's consumers.
	windowSize = 200
	// renewAfter is the number of earlier deliveries at which a cursor replaces a message by a copy. Each cursor that ends early
	// adds one, and RabbitMQ 4 drops messages after 20 from a queue that was declared without noDeliveryLimit.
	renewAfter = 15
)

// Browser implements deadletter.Browser. It has one connection, which it does not redial: when the connection is lost, all
// messages that were not removed are still in their queue.
type Browser struct{ session *session }

// NewBrowser connects to the first node that responds within Options.DialTimeout. The error wraps messaging.ErrUnavailable if
// none does.
func NewBrowser(ctx context.Context, options Options) (*Browser, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := newConnection("browse", options, openBrowser, nil).connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", messaging.ErrUnavailable, err)
	}
	return &Browser{s}, nil
}

func openBrowser(s *session) error {
	p, err := newPublisher(s, func(messaging.Return) {})
	s.publisher.Store(p)
	return err
}

// Close implements deadletter.Browser. It waits up to a second for the broker to process what was sent before.
func (b *Browser) Close() { b.session.close(true) }

// Publish implements messaging.Publisher.
func (b *Browser) Publish(ctx context.Context, queue string, m messaging.Message) error {
	if err := validate(queue, &m); err != nil {
		return fmt.Errorf("publish to queue %.40s: %w", queue, err)
	}
	return b.publish(ctx, queue, m)
}

func (b *Browser) publish(ctx context.Context, queue string, m messaging.Message) error {
	limited, cancel := context.WithTimeout(ctx, browserPatience)
	defer cancel()
	err := b.session.publish(limited, queue, &m)
	switch timedOut := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil; {
	case timedOut && errors.Is(err, messaging.ErrUnconfirmed):
		err = fmt.Errorf("%w within %s", messaging.ErrUnconfirmed, browserPatience)
	case timedOut:
		err = b.session.noResponse()
	}
	if err != nil {
		return fmt.Errorf("publish to queue %s: %w", queue, err)
	}
	return nil
}

// noResponse returns the error of a step that took longer than browserPatience.
func (s *session) noResponse() error {
	if err := s.unavailable(); err != nil {
		return err
	}
	return fmt.Errorf("%w: no response within %s", messaging.ErrUnavailable, browserPatience)
}

// call runs f within browserPatience. After an error, close the session: only its end is certain to end f.
func (b *Browser) call(ctx context.Context, f func() error) error {
	if err := b.session.unavailable(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, browserPatience)
	defer cancel()
	err := b.session.call(limited, f)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return b.session.noResponse()
	}
	return err
}

// Open implements deadletter.Browser.
func (b *Browser) Open(ctx context.Context, queue string) (deadletter.Cursor, error) {
	c := &cursor{browser: b, queue: queue}
	err := b.call(ctx, func() (err error) {
		channel, err := b.session.amqp.Channel()
		if err != nil {
			return fmt.Errorf("open channel: %w", err)
		}
		if c.left, err = ready(channel, queue); err != nil {
			return err
		}
		c.present = c.left
		return channel.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("browse queue %.255s: %w", queue, explain(err))
	}
	return c, nil
}

// ready returns how many messages of a queue no consumer holds.
func ready(channel *amqp.Channel, queue string) (int, error) {
	state, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
	return state.Messages, err
}

// explain translates the broker's errors about a queue.
func explain(err error) error {
	switch {
	case isCode(err, amqp.NotFound):
		return deadletter.ErrNoQueue
	case errors.Is(err, amqp.ErrClosed):
		return errLost
	default:
		return asInUse(err)
	}
}
