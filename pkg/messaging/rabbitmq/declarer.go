package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// defaultDeliveryLimit is RabbitMQ's own for quorum queues, since 4.0.
const defaultDeliveryLimit = 20

// declarer declares queues, on a channel of its own: a declaration and a publish at once on one channel interleave
// their frames, and a refused declaration closes its channel. It remembers what it has seen to exist.
type declarer struct {
	session *session
	known   sync.Map // name → struct{}

	mu      sync.Mutex
	channel *amqp.Channel // nil until needed, and after a refusal
}

// ensure declares q unless it is known to exist.
func (d *declarer) ensure(ctx context.Context, q messaging.Queue) error {
	if _, ok := d.known.Load(q.Name); ok {
		return nil
	}
	return d.within(ctx, q.Name, func() error { return d.declare(q) })
}

// holds reports whether messages wait in a queue for a consumer; messaging.ErrUnroutable if there is no such queue.
func (d *declarer) holds(ctx context.Context, queue string) (bool, error) {
	var found amqp.Queue
	err := d.within(ctx, queue, func() (err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		found, err = d.inspect(queue)
		return err
	})
	if err != nil {
		return false, err // found may still be written
	}
	return found.Messages > 0, nil
}

// within calls f and waits for its end or that of ctx. The library's calls take no context; they end with the connection
// at the latest.
func (d *declarer) within(ctx context.Context, queue string, f func() error) error {
	result := make(chan error, 1)
	if !d.session.spawn(func() { result <- f() }) {
		return fmt.Errorf("declare queue %s: %w: connection lost", queue, messaging.ErrUnavailable)
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// forget makes the next ensure declare again, for queues that turned out to be gone.
func (d *declarer) forget(name string) { d.known.Delete(name) }

func (d *declarer) declare(q messaging.Queue) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.known.Load(q.Name); ok {
		return nil
	}
	err := d.call(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(q.Name, q.Durable, q.AutoDelete, false, false, arguments(q))
		return err
	})
	switch {
	case isCode(err, amqp.PreconditionFailed):
		err = nil // it exists with other settings
	case isCode(err, amqp.AccessRefused):
		if _, err = d.inspect(q.Name); errors.Is(err, messaging.ErrUnroutable) {
			err = fmt.Errorf("%w, and this user may not make it", err)
		}
	}
	if err != nil {
		return fmt.Errorf("declare queue %s: %w", q.Name, err)
	}
	d.known.Store(q.Name, struct{}{})
	return nil
}

// inspect looks at a queue and makes none.
func (d *declarer) inspect(name string) (q amqp.Queue, err error) {
	err = d.call(func(ch *amqp.Channel) error {
		q, err = ch.QueueDeclarePassive(name, true, false, false, false, nil)
		return err
	})
	if isCode(err, amqp.NotFound) {
		err = fmt.Errorf("%w: it does not exist", messaging.ErrUnroutable)
	}
	return q, err
}

// call runs f on the declarer's channel. Errors that are not the broker's refusal wrap ErrUnavailable.
func (d *declarer) call(f func(*amqp.Channel) error) error {
	if d.channel == nil || d.channel.IsClosed() {
		ch, err := d.session.amqp.Channel()
		if err != nil {
			return fmt.Errorf("%w: open channel: %w", messaging.ErrUnavailable, err)
		}
		d.channel = ch
	}
	err := f(d.channel)
	if err == nil {
		return nil
	}
	d.channel = nil
	var refusal *amqp.Error
	if errors.As(err, &refusal) && refusal.Server {
		return err
	}
	return fmt.Errorf("%w: %w", messaging.ErrUnavailable, err)
}

func isCode(err error, code int) bool {
	var e *amqp.Error
	return errors.As(err, &e) && e.Code == code
}

// arguments are those that all users of a queue agree on: its type and expiry. Dead-lettering is the consumer's doing
// (see delivery.go), so that publishers, who declare queues as well, need not know of it.
func arguments(q messaging.Queue) amqp.Table {
	// Said in so many words, since a virtual host may have another default.
	table := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeClassic}
	if q.Type == messaging.Quorum {
		table[amqp.QueueTypeArg] = amqp.QueueTypeQuorum
		if q.DeliveryLimit >= defaultDeliveryLimit {
			// The broker's own limit must not come before the consumer's: it drops the message.
			table["x-delivery-limit"] = int64(q.DeliveryLimit) + defaultDeliveryLimit
		}
	}
	if q.Expiry > 0 {
		table[amqp.QueueTTLArg] = max(q.Expiry.Milliseconds(), 1)
	}
	return table
}
