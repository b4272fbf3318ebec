package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
)

const (
	// browserPatience bounds each step of a browser. A broker that blocks a connection doesn't read from it, and so
	// answers nothing.
	browserPatience = 10 * time.Second
	// browserQuiet is how long a browser waits before it asks whether there are messages left to wait for.
	browserQuiet = 200 * time.Millisecond
	// windowSize is how many messages one consumer of a look takes; the broker sends them ahead.
	windowSize = 200
	// renewAfter is how many deliveries a message may have had before it is replaced by a copy: with 20 the broker drops
	// it (see defaultDeliveryLimit), and each look that ends early adds one.
	renewAfter = 15
)

// Browser looks into queues and takes single messages out of them, for people's tools. It has one connection, which is
// not dialled again: whatever is not settled when it ends is still in its queue. It is not for concurrent use.
type Browser struct{ session *session }

// NewBrowser connects to the first node that answers. Its error wraps messaging.ErrUnavailable if none does, within
// Options.DialTimeout for each.
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

// Close disconnects. What the broker was told before, it has then done, unless it doesn't answer within a second.
func (b *Browser) Close() { b.session.close(true) }

// Publish returns once the broker has confirmed m; see messaging.Publisher.
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
		err = b.session.noAnswer()
	}
	if err != nil {
		return fmt.Errorf("publish to queue %s: %w", queue, err)
	}
	return nil
}

// noAnswer is the error of a step that browserPatience has ended.
func (s *session) noAnswer() error {
	if err := s.unavailable(); err != nil {
		return err
	}
	return fmt.Errorf("%w: no answer within %s", messaging.ErrUnavailable, browserPatience)
}

// call runs f, whose calls of the library take no context. They end with the session at the latest: after an error of
// the context it must be closed.
func (b *Browser) call(ctx context.Context, f func() error) error {
	if err := b.session.unavailable(); err != nil {
		return err
	}
	limit := time.NewTimer(browserPatience)
	defer limit.Stop()
	result := make(chan error, 1)
	if !b.session.spawn(func() { result <- f() }) {
		return errLost
	}
	select {
	case err := <-result:
		return err
	case <-limit.C:
		return b.session.noAnswer()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Open begins a look into a queue. Its errors wrap deadletter.ErrNoQueue or messaging.ErrUnavailable.
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
		return channel.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("look into queue %.255s: %w", queue, explain(err))
	}
	return c, nil
}

// ready counts the messages of a queue that nobody holds.
func ready(channel *amqp.Channel, queue string) (int, error) {
	state, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
	return state.Messages, err
}

// explain gives what the broker says of a queue this package's words.
func explain(err error) error {
	switch {
	case isCode(err, amqp.NotFound):
		return deadletter.ErrNoQueue
	case isCode(err, amqp.AccessRefused) && strings.Contains(err.Error(), "exclusive"):
		return fmt.Errorf("%w: %w", messaging.ErrQueueInUse, err)
	case errors.Is(err, amqp.ErrClosed):
		return errLost
	default:
		return err
	}
}
