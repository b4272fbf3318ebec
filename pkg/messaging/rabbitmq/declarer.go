package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// noDeliveryLimit keeps a quorum queue from dropping messages. RabbitMQ 4 drops them at the 21st delivery unless the queue has
// another limit. 3.10 does not know -1, the documented value, and drops at the first redelivery with it.
// See https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling.
const noDeliveryLimit = math.MaxInt32

// declarer declares queues on a channel that does nothing else: a concurrent declaration and publish on one channel
// interleave their frames, and a refused declaration closes its channel. It remembers the queues that it has seen.
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
	if err := d.session.call(ctx, func() error { return d.declare(q) }); err != nil {
		return fmt.Errorf("declare queue %s: %w", q.Name, err)
	}
	return nil
}

// count returns how many messages of a queue wait for a consumer. The error wraps ErrUnroutable if there is no such queue.
func (d *declarer) count(ctx context.Context, queue string) (int, error) {
	var found amqp.Queue
	err := d.session.call(ctx, func() (err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		found, err = d.inspect(queue)
		return err
	})
	if err != nil {
		return 0, err // found may still be written
	}
	return found.Messages, nil
}

// forget makes the next ensure declare the queue again.
func (d *declarer) forget(queue string) { d.known.Delete(queue) }

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
			err = fmt.Errorf("%w, and this user may not create it", err)
		}
	}
	if err == nil {
		d.known.Store(q.Name, struct{}{})
	}
	return err
}

// inspect looks at a queue without creating it. Called with mu held.
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

// call runs f on the declarer's channel. Errors other than the broker's refusals wrap ErrUnavailable.
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

// arguments returns what all users of a queue agree on: its type and expiry. Dead-lettering and the delivery limit are left to
// the consumer (see consumer.handle), so that publishers, which declare queues as well, need not know of them.
func arguments(q messaging.Queue) amqp.Table {
	// The type is explicit because a virtual host may have another default.
	table := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeClassic}
	if q.Type == messaging.Quorum {
		table[amqp.QueueTypeArg] = amqp.QueueTypeQuorum
		table["x-delivery-limit"] = int64(noDeliveryLimit)
	}
	if q.Expiry > 0 {
		table[amqp.QueueTTLArg] = max(q.Expiry.Milliseconds(), 1)
	}
	return table
}
