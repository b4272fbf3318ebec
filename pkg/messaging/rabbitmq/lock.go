package rabbitmq

import (
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

const (
	// lockSuffix makes a queue's name that of its locks.
	lockSuffix = ".consumer-lock"
	// locks is one more than the number of nodes that may be lost at a time.
	locks = 3
)

// lock keeps other exclusive consumers of the queue out. A lock is a queue that is exclusive to the connection, with an
// exclusive consumer; the broker deletes it with the connection.
//
// The exclusive flag of basic.consume does not suffice: RabbitMQ accepts it on a quorum queue and lets others in all the
// same, and a queue that existed before may be of either type. Nor does the number of consumers: it includes those of a
// node that is away, for as long as that lasts.
//
// Since RabbitMQ 4.2, the lock of a node that was killed stays until the node is back. So there are several: a subscription
// leaves out those that it has held itself, and takes the next. Every other one that is taken is another process's. It does not
// notice a process that took a lock of its own while it was disconnected.
// See https://www.rabbitmq.com/docs/queues#exclusive-queues.
func (c *consumer) lock() error {
	s, d := c.subscription, c.session.declarer
	if !s.options.Exclusive {
		return nil
	}
	var err error
	for i := range locks {
		name := c.lockName(i)
		if c.locked == "" {
			if err = d.declareLock(s.accepting, name); err == nil {
				c.locked = name
				s.held[i] = true
			}
		} else if err = d.declareLock(s.accepting, name); err == nil {
			err = d.deleteLock(s.accepting, name) // it was free: to look at a queue that is missing closes a channel
		}
		if err != nil && (!s.held[i] || !isCode(err, amqp.ResourceLocked)) {
			return err
		}
	}
	if c.locked == "" {
		return err
	}
	_, err = c.channel.Consume(c.locked, c.tag+lockSuffix, false, true, false, false, nil)
	return err
}

func (c *consumer) lockName(i int) string {
	name := c.subscription.queue.Name + lockSuffix
	if i > 0 {
		name += fmt.Sprint(".", i)
	}
	return name
}

// unlock lets others in at once: the broker takes a while to delete a queue that has lost its last consumer.
func (c *consumer) unlock() {
	if c.locked != "" && !c.channel.IsClosed() {
		_, _ = c.channel.QueueDelete(c.locked, false, false, false)
	}
}

// asInUse recognizes the broker's refusals to share a queue.
func asInUse(err error) error {
	if isCode(err, amqp.AccessRefused) && strings.Contains(err.Error(), "exclusive") || isCode(err, amqp.ResourceLocked) {
		return fmt.Errorf("%w: %w", messaging.ErrQueueInUse, err)
	}
	return err
}
