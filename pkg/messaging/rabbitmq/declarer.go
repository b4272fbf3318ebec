package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// noDeliveryLimit keeps a quorum queue from dropping messages. RabbitMQ 4 drops them at the 21st delivery unless the queue has
// another limit. 3.10 does not know -1, the documented value, and drops at the first redelivery with it.
// See https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling.
const noDeliveryLimit = math.MaxInt32

// disconnectedTimeout is how long a quorum queue waits for a consumer whose node is lost before it delivers the consumer's messages
// to another one. RabbitMQ 4.3 waits a minute by default, which is longer than most calls last. Older versions do not wait, and
// ignore the argument.
const disconnectedTimeout = time.Second

// declarer declares queues on a channel that does nothing else: a concurrent declaration and publish on one channel
// interleave their frames, and a refused declaration closes its channel. It remembers the queues that it has seen.
type declarer struct {
	session *session
	log     *slog.Logger
	known   sync.Map // name → outcome

	mu      sync.Mutex
	channel *amqp.Channel // nil until needed, and after a refusal
}

// outcome is that of a declaration. An error is remembered for refusalExpiry, so that the callers of one queue that is away do
// not hold up those of others.
type outcome struct {
	err    error
	expiry time.Time // of err
	agreed bool      // the queue has the arguments it was declared with, its type among them
	quorum bool      // it was declared as a quorum queue
}

const (
	refusalExpiry = time.Second
	// declarePatience bounds a declaration. For a classic queue whose node was killed, RabbitMQ 4.3 looks for a minute before it
	// responds.
	declarePatience = 2 * time.Second
)

// remembered returns what is known of a queue.
func (d *declarer) remembered(queue string) (known bool, err error) {
	v, known := d.known.Load(queue)
	o, _ := v.(outcome)
	return known && (o.err == nil || time.Now().Before(o.expiry)), o.err
}

// agreed reports whether a known queue has the arguments that it was declared with.
func (d *declarer) agreed(queue string) bool {
	v, _ := d.known.Load(queue)
	o, _ := v.(outcome)
	return o.agreed
}

// ensure declares q unless it is known to exist. The error wraps ErrUnavailable, or ErrUnroutable if there is no queue and this
// user may not create it.
func (d *declarer) ensure(ctx context.Context, q messaging.Queue) error {
	known, err := d.remembered(q.Name)
	if !known {
		err = d.session.call(ctx, func() error { return d.declare(q) })
	}
	if err != nil {
		return fmt.Errorf("declare queue %s: %w", q.Name, err)
	}
	return nil
}

// declareLock declares a queue that is exclusive to the connection.
func (d *declarer) declareLock(ctx context.Context, name string) error {
	return d.onChannel(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, false, true, true, false, nil)
		return err
	})
}

func (d *declarer) deleteLock(ctx context.Context, name string) error {
	return d.onChannel(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDelete(name, false, false, false)
		return err
	})
}

func (d *declarer) onChannel(ctx context.Context, f func(*amqp.Channel) error) error {
	return d.session.call(ctx, func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.call(f)
	})
}

// look returns the state of a queue. The error wraps ErrUnroutable if there is no such queue.
func (d *declarer) look(ctx context.Context, queue string) (amqp.Queue, error) {
	var found amqp.Queue
	err := d.session.call(ctx, func() (err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		found, err = d.inspect(queue)
		return err
	})
	if err != nil {
		return amqp.Queue{}, err // found may still be written
	}
	return found, nil
}

// forget makes the next ensure declare the queue again.
func (d *declarer) forget(queue string) { d.known.Delete(queue) }

// doubt is forget for a queue whose messages the broker may drop silently. For a quorum queue it refuses them. A refusal to
// declare the queue stays remembered: calls that were sent before it may time out after it.
func (d *declarer) doubt(queue string) {
	v, _ := d.known.Load(queue)
	if o, _ := v.(outcome); o.err == nil && !o.quorum {
		d.forget(queue)
	}
}

func (d *declarer) declare(q messaging.Queue) error {
	if !d.mu.TryLock() {
		// A declaration that takes long must not hold up the callers of a queue that was refused a moment ago.
		if _, err := d.remembered(q.Name); err != nil {
			return err
		}
		d.mu.Lock()
	}
	defer d.mu.Unlock()
	if known, err := d.remembered(q.Name); known {
		return err
	}
	began := time.Now()
	err := d.call(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(q.Name, q.Durable, q.AutoDelete, false, false, arguments(q))
		return err
	})
	agreed := err == nil
	if isCode(err, amqp.PreconditionFailed) || isCode(err, amqp.AccessRefused) {
		err = d.existing(q.Name, err)
	}
	if err != nil {
		d.log.Warn("declare queue", "queue", q.Name, "error", err)
	}
	// What takes long holds up other declarations, so it is asked less often.
	d.known.Store(q.Name, outcome{err, time.Now().Add(max(refusalExpiry, 5*time.Since(began))), agreed, q.Type == messaging.Quorum})
	return err
}

// existing returns nil if a queue exists that the broker refused to declare, because it has other settings or because this user
// may not create it. Called with mu held.
func (d *declarer) existing(name string, refused error) error {
	_, err := d.inspect(name)
	switch {
	case isCode(err, amqp.AccessRefused):
		return nil // since 4.3 such a user may not look either; a message to a missing queue is returned
	case !errors.Is(err, messaging.ErrUnroutable):
		return err
	case isCode(refused, amqp.AccessRefused):
		return fmt.Errorf("%w, and this user may not create it", err)
	default:
		return refused // for another reason, such as the virtual host's limit of queues
	}
}

// inspect looks at a queue without creating it. Called with mu held.
func (d *declarer) inspect(name string) (q amqp.Queue, err error) {
	found := make(chan amqp.Queue, 1)
	err = d.call(func(ch *amqp.Channel) error {
		q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		found <- q
		return err
	})
	if err == nil {
		return <-found, nil
	}
	// The code is the same for a queue that is away, with its node or because it has crashed.
	if isCode(err, amqp.NotFound) && strings.Contains(err.Error(), "no queue") {
		err = fmt.Errorf("%w: it does not exist", messaging.ErrUnroutable)
	}
	return q, err
}

// call runs f on the declarer's channel. Its errors wrap ErrUnavailable.
func (d *declarer) call(f func(*amqp.Channel) error) error {
	if d.channel == nil || d.channel.IsClosed() {
		ch, err := d.session.amqp.Channel()
		if err != nil {
			return fmt.Errorf("%w: open channel: %w", messaging.ErrUnavailable, err)
		}
		d.channel = ch
	}
	err := d.bounded(d.channel, f)
	if err == nil {
		return nil
	}
	d.channel = nil
	return fmt.Errorf("%w: %w", messaging.ErrUnavailable, err)
}

// bounded runs f for at most declarePatience. After that the channel is f's alone.
func (d *declarer) bounded(ch *amqp.Channel, f func(*amqp.Channel) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), declarePatience)
	defer cancel()
	err := d.session.call(ctx, func() error {
		err := f(ch)
		if ctx.Err() != nil {
			_ = ch.Close()
		}
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no response within %s", declarePatience)
	}
	return err
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
		table["x-consumer-disconnected-timeout"] = disconnectedTimeout.Milliseconds()
	}
	if q.Expiry > 0 {
		table[amqp.QueueTTLArg] = max(q.Expiry.Milliseconds(), 1)
	}
	return table
}
