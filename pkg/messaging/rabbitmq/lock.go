package rabbitmq

import (
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// lockSuffix makes a queue's name that of its lock.
const lockSuffix = ".consumer-lock"

// lock keeps other exclusive consumers of the queue out. The lock is a queue that is exclusive to the connection, with an
// exclusive consumer; the broker deletes it with the connection or with its node.
//
// The exclusive flag of basic.consume does not suffice: RabbitMQ accepts it on a quorum queue and lets others in all the
// same, and a queue that existed before may be of either type. Nor does the number of consumers: it includes those of a
// node that is away, for as long as that lasts.
// See https://www.rabbitmq.com/docs/queues#exclusive-queues.
func (c *consumer) lock() error {
	if !c.subscription.options.Exclusive {
		return nil
	}
	name := c.subscription.queue.Name + lockSuffix
	if _, err := c.channel.QueueDeclare(name, false, true, true, false, nil); err != nil {
		return fmt.Errorf("lock the queue: %w", asInUse(err))
	}
	if _, err := c.channel.Consume(name, c.tag+lockSuffix, false, true, false, false, nil); err != nil {
		return fmt.Errorf("lock the queue: %w", asInUse(err))
	}
	return nil
}

// unlock lets others in at once: the broker takes a while to delete a queue that has lost its last consumer.
func (c *consumer) unlock() {
	if c.subscription.options.Exclusive && !c.channel.IsClosed() {
		_, _ = c.channel.QueueDelete(c.subscription.queue.Name+lockSuffix, false, false, false)
	}
}

// asInUse recognizes the broker's refusals to share a queue.
func asInUse(err error) error {
	if isCode(err, amqp.AccessRefused) && strings.Contains(err.Error(), "exclusive") || isCode(err, amqp.ResourceLocked) {
		return fmt.Errorf("%w: %w", messaging.ErrQueueInUse, err)
	}
	return err
}
