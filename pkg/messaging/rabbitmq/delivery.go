package rabbitmq

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/cenkalti/backoff/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/driver"
)

// Quorum queues count a message's earlier deliveries in a header. Classic queues only say that there was one, so the
// consumer keeps the count: before it handles a redelivered message, it puts the message back with the count in a header,
// so that the count outlives the process.
//
// Neither type of queue uses the broker's dead-lettering: it would also take every message that outlives its TTL, and a
// request that no caller waits for is not to be dead-lettered.
// See https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling.
const (
	quorumCountHeader  = "x-delivery-count"
	classicCountHeader = "x-classic-delivery-count"
)

// earlierDeliveries returns how often the message was delivered before. counted is false if its headers do not hold that
// number yet.
func earlierDeliveries(d *amqp.Delivery) (n int64, counted bool) {
	if n, ok := d.Headers[quorumCountHeader].(int64); ok {
		return n, true
	}
	n, _ = d.Headers[classicCountHeader].(int64)
	if d.Redelivered {
		return n + 1, false
	}
	return n, true
}

// handle sees one delivery through to its acknowledgement or rejection.
func (c *consumer) handle(d *amqp.Delivery) {
	s := c.subscription
	limit := int64(s.queue.DeliveryLimit)
	earlier, counted := earlierDeliveries(d)
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
		c.acknowledger.requeue(d.DeliveryTag)
	}
}

// recount puts the message at the end of its queue, with the count of its deliveries.
func (c *consumer) recount(d *amqp.Delivery, m messaging.Message, earlier int64) {
	headers := make(map[string]any, len(m.Headers)+1)
	maps.Copy(headers, m.Headers)
	headers[classicCountHeader] = earlier
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
