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

// The broker only says whether a message was delivered before: classic queues do not count, and what quorum queues count
// differs between versions. So the consumer keeps the count: before it handles a redelivered message, it puts the message back
// with the count in a header, so that the count outlives the process.
//
// The broker's dead-lettering is not used either: it would also take every message that outlives its TTL, and a request that no
// caller waits for is not to be dead-lettered.
// See https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling.
const (
	countHeader         = "x-classic-delivery-count" // older versions of this package counted only on classic queues
	deliveryCountHeader = "x-delivery-count"         // of quorum queues: failed deliveries
	acquiredCountHeader = "x-acquired-count"         // of quorum queues, since RabbitMQ 4.3: all earlier deliveries
)

// earlierDeliveries returns how often the message was delivered before. counted is false if its headers do not hold that
// number yet. A count is believed only if this service has written it: the broker checks the user of a message.
func (c *consumer) earlierDeliveries(d *amqp.Delivery) (n int64, counted bool) {
	if d.UserId == c.session.user {
		n, _ = d.Headers[countHeader].(int64)
		n = min(max(n, 0), math.MaxInt32)
	}
	if d.Redelivered {
		return n + 1, false
	}
	return n, true
}

// handle sees one delivery through to its acknowledgement or rejection.
func (c *consumer) handle(d *amqp.Delivery) {
	s := c.subscription
	limit := int64(s.queue.DeliveryLimit)
	earlier, counted := c.earlierDeliveries(d)
	m := decode(d)
	switch {
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

// recount puts the message at the end of its queue, with the count of its deliveries.
func (c *consumer) recount(d *amqp.Delivery, m messaging.Message, earlier int64) {
	headers := make(map[string]any, len(m.Headers)+1)
	maps.Copy(headers, m.Headers)
	headers[countHeader] = earlier
	m.Headers = headers
	c.move(d, c.subscription.queue, m)
}

// deadLetter moves the message to the dead-letter queue, or drops it if its queue has none.
func (c *consumer) deadLetter(d *amqp.Delivery, m messaging.Message, reason string) {
	q := c.subscription.queue
	log := c.subscription.broker.options.Logger.With("queue", q.Name, "reason", reason,
		"message_id", m.ID, "correlation_id", m.CorrelationID)
	if q.DeadLetter == "" {
		log.Warn("message dropped: its queue has no dead-letter queue")
		c.acknowledger.ack(d.DeliveryTag)
		return
	}
	if c.move(d, deadLetterQueue(q), deadletter.Mark(m, q.Name, reason, time.Now())) {
		log.Warn("message dead-lettered", "dead_letter_queue", q.DeadLetter)
	}
}

func deadLetterQueue(q messaging.Queue) messaging.Queue {
	return messaging.Queue{Name: q.DeadLetter, Durable: true, Type: q.Type}
}

// move publishes m to a queue and then acknowledges the delivery, so that a crash between the two leaves two copies and
// never none. If the broker does not take m before the consumer ends, the delivery is requeued.
func (c *consumer) move(d *amqp.Delivery, to messaging.Queue, m messaging.Message) bool {
	ctx, cancel := context.WithCancel(c.subscription.handling)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	b := c.subscription.broker
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := b.publish(ctx, to.Name, m)
		if errors.Is(err, messaging.ErrUnroutable) {
			err = errors.Join(err, b.Ensure(ctx, to))
		}
		return struct{}{}, err
	}, backoff.WithBackOff(newBackOff()), backoff.WithMaxElapsedTime(0))
	if err != nil {
		c.acknowledger.requeue(d.DeliveryTag)
		return false
	}
	c.acknowledger.ackAtOnce(d.DeliveryTag)
	return true
}
