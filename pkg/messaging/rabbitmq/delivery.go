package rabbitmq

import (
	"context"
	"errors"
	"maps"
	"math"
	"time"

	"github.com/cenkalti/backoff/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/driver"
)

// Quorum queues count a message's earlier deliveries in headers. Classic queues only say that there was one, so the consumer
// keeps the count: before it handles a redelivered message, it puts the message back with the count in a header, so that the
// count outlives the process. It does so too on a quorum queue of which it does not know that it is one.
//
// Neither type of queue uses the broker's dead-lettering: it would also take every message that outlives its TTL, and a
// request that no caller waits for is not to be dead-lettered.
// See https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling.
const (
	countHeader         = "x-classic-delivery-count"
	deliveryCountHeader = "x-delivery-count" // of a quorum queue; since RabbitMQ 4.3 only deliveries that failed
	acquiredCountHeader = "x-acquired-count" // of a quorum queue since RabbitMQ 4.3: all deliveries
)

// earlierDeliveries returns how often the message was delivered before. counted is false if its headers do not hold that
// number yet. The consumer's count is believed only if this service has written it: the broker checks the user of a message.
func (c *consumer) earlierDeliveries(d *amqp.Delivery) (n int64, counted bool) {
	if d.UserId == c.session.user {
		n, _ = d.Headers[countHeader].(int64)
		n = min(max(n, 0), math.MaxInt32)
	}
	switch {
	case !d.Redelivered:
		return n, true
	case c.counted:
		return n + max(failedDeliveries(d), 1), true
	default:
		return n + 1, false
	}
}

// failedDeliveries returns how often the message was delivered before, as a quorum queue counts for its own limit. Classic
// queues do not count. All versions overwrite a publisher's header when a delivery has failed, which they do not with
// acquiredCountHeader.
func failedDeliveries(d *amqp.Delivery) int64 {
	n, _ := d.Headers[deliveryCountHeader].(int64)
	return min(max(n, 0), math.MaxInt32)
}

// handle sees one delivery through to its acknowledgement or rejection.
func (c *consumer) handle(d *amqp.Delivery) {
	s := c.subscription
	limit := int64(s.queue.DeliveryLimit)
	earlier, counted := c.earlierDeliveries(d)
	m := decode(d)
	switch {
	case isUndecodable(m):
		c.deadLetter(d, m, deadletter.ReasonUndecodable)
		return
	case limit > 0 && earlier >= limit:
		c.deadLetter(d, m, deadletter.ReasonDeliveryLimit)
		return
	case limit > 0 && !counted:
		c.recount(d, m, earlier)
		return
	}
	err := s.handler(s.handling, m)
	switch {
	case err == nil:
		c.acknowledger.ack(d.DeliveryTag)
	case driver.IsRejection(err):
		c.deadLetter(d, m, deadletter.ReasonRejected)
	default:
		c.retry(d, earlier+1)
	}
}

// isUndecodable reports whether inbound has replaced the headers. A dead-letter queue's messages may have lost them before.
func isUndecodable(m messaging.Message) bool {
	_, noted := m.Headers[deadletter.NoteHeader]
	return noted && deadletter.DeathOf(m).Queue == ""
}

// recount puts the message at the end of its queue, with the count of its deliveries.
func (c *consumer) recount(d *amqp.Delivery, m messaging.Message, earlier int64) {
	headers := make(map[string]any, len(m.Headers)+1)
	maps.Copy(headers, m.Headers)
	headers[countHeader] = earlier
	m.Headers = headers
	if err := c.move(d, c.subscription.queue, m); errors.Is(err, messaging.ErrInvalidMessage) {
		c.deadLetter(d, m, deadletter.ReasonUndecodable)
	}
}

// deadLetter moves the message to the dead-letter queue. It drops the message if its queue has none, or if it cannot be moved.
func (c *consumer) deadLetter(d *amqp.Delivery, m messaging.Message, reason string) {
	q, options := c.subscription.queue, c.subscription.broker.options
	log := options.Logger.With("queue", q.Name, "reason", reason, "message_id", m.ID)
	err := errNoDeadLetters
	if q.DeadLetter != "" {
		err = c.move(d, deadLetterQueue(q), deadletter.Mark(m, q.Name, reason, time.Now()))
		if errors.Is(err, messaging.ErrInvalidMessage) {
			m.Headers = map[string]any{deadletter.NoteHeader: err.Error()}
			err = c.move(d, deadLetterQueue(q), deadletter.Mark(m, q.Name, reason, time.Now()))
		}
	}
	if note, ok := m.Headers[deadletter.NoteHeader]; ok {
		log = log.With("headers_removed", note)
	}
	switch {
	case err == nil:
		log.Warn("message dead-lettered", "dead_letter_queue", q.DeadLetter)
	case errors.Is(err, errNoDeadLetters), errors.Is(err, messaging.ErrInvalidMessage):
		log.Warn("message dropped", "error", err)
		c.acknowledger.ack(d.DeliveryTag)
	default:
		return // requeued
	}
	options.OnSetAside(q.Name, reason)
}

var errNoDeadLetters = errors.New("its queue has no dead-letter queue")

func deadLetterQueue(q messaging.Queue) messaging.Queue {
	return messaging.Queue{Name: q.DeadLetter, Durable: true, Type: q.Type}
}

// move publishes m to a queue and then acknowledges the delivery, so that a crash between the two leaves two copies and
// never none. If the broker does not take m before the consumer ends, the delivery is requeued. If the error wraps
// ErrInvalidMessage, m cannot be moved, and the delivery is still the caller's.
func (c *consumer) move(d *amqp.Delivery, to messaging.Queue, m messaging.Message) error {
	ctx, cancel := context.WithCancel(c.subscription.handling)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	b := c.subscription.broker
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := b.publish(ctx, to.Name, m)
		switch {
		case errors.Is(err, messaging.ErrInvalidMessage):
			err = backoff.Permanent(err)
		case errors.Is(err, messaging.ErrUnroutable):
			err = errors.Join(err, b.Ensure(ctx, to))
		}
		return struct{}{}, err
	}, backoff.WithBackOff(newBackOff()), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, wait time.Duration) {
		b.options.Logger.Warn("move message", "queue", c.subscription.queue.Name, "to", to.Name, "message_id", m.ID,
			"error", err, "retry_in", wait)
	}))
	switch {
	case err == nil:
		c.acknowledger.ackAtOnce(d.DeliveryTag)
	case !errors.Is(err, messaging.ErrInvalidMessage):
		c.acknowledger.requeue(d.DeliveryTag)
	}
	return err
}
