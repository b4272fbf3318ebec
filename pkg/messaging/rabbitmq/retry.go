package rabbitmq

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging/driver"
)

// maxReplaced bounds the consumers of a subscription that only wait for messages to retry. Beyond it, messages that wait hold
// up others.
const maxReplaced = 16

// retry returns a message to its queue, after a pause if the message has deliveries left. Until then the consumer keeps it
// unacknowledged, so that it is not lost with the process. The prefetch counts such messages, so when half of it waits, the
// subscription goes on with another consumer.
func (c *consumer) retry(d *amqp.Delivery, deliveries int64) {
	s := c.subscription
	if deliveries == int64(s.queue.DeliveryLimit) {
		c.acknowledger.requeue(d.DeliveryTag)
		return
	}
	if c.waiting.Add(1) > int64(s.options.Prefetch/2) {
		c.askForReplacement()
	}
	c.workers.Go(func() {
		ctx, cancel := context.WithCancel(c.ctx)
		defer cancel()
		defer context.AfterFunc(s.retrying, cancel)()
		sleep(ctx, driver.RetryDelay(s.options, max(deliveries, failedDeliveries(d)+1)))
		c.acknowledger.requeue(d.DeliveryTag)
		c.waiting.Add(-1)
	})
}

// askForReplacement closes replaced, unless too many consumers were replaced already.
func (c *consumer) askForReplacement() {
	if c.retired.Load() {
		return
	}
	select {
	case c.subscription.replaced <- struct{}{}:
		if c.retired.CompareAndSwap(false, true) {
			close(c.crowded)
			return
		}
		<-c.subscription.replaced
	default:
	}
}
