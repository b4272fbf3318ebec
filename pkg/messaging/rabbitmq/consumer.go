package rabbitmq

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// consumer is one generation of a [subscription], on a channel of one session.
type consumer struct {
	subscription *subscription
	session      *session
	tag          string
	channel      *amqp.Channel
	acknowledger *acknowledger
	deliveries   <-chan amqp.Delivery

	ctx  context.Context // ends when no more deliveries come
	over context.CancelFunc

	locked  string // the lock that keeps others out
	counted bool   // the broker counts the deliveries, in a quorum queue

	waiting atomic.Int64  // messages to retry; see retry
	crowded chan struct{} // closed when another consumer is to replace this one
	retired atomic.Bool   // crowded is closed: the end of the deliveries does not end ctx

	workers   sync.WaitGroup
	started   atomic.Int64  // workers so far
	idle      atomic.Int64  // workers that wait for a delivery
	delivered atomic.Uint64 // deliveries so far
}

// consume starts a consumer on the current session, and waits for the session while the broker is away.
func (s *subscription) consume() (*consumer, error) {
	sess, err := s.broker.consuming.await(s.accepting)
	if err != nil {
		return nil, err
	}
	// Most consumers end because their queue was deleted, so declare it again.
	sess.declarer.forget(s.queue.Name)
	if err := sess.declarer.ensure(s.accepting, s.queue); err != nil {
		return nil, err
	}
	if s.queue.DeadLetter != "" {
		if err := sess.declarer.ensure(s.accepting, deadLetterQueue(s.queue)); err != nil {
			return nil, err
		}
	}
	ch, err := sess.amqp.Channel()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	c := &consumer{subscription: s, session: sess, tag: uuid.NewString(), channel: ch, crowded: make(chan struct{})}
	c.counted = s.queue.Type == messaging.Quorum && sess.declarer.agreed(s.queue.Name)
	if err := c.start(); err != nil {
		_ = ch.Close()
		return nil, fmt.Errorf("consume from queue %s: %w", s.queue.Name, err)
	}
	return c, nil
}

// start makes the broker send deliveries.
func (c *consumer) start() (err error) {
	s := c.subscription
	if err := c.channel.Qos(s.options.Prefetch, 0, false); err != nil {
		return fmt.Errorf("set prefetch: %w", err)
	}
	closes := c.channel.NotifyClose(make(chan *amqp.Error, 1))
	if err := c.lock(); err != nil {
		return fmt.Errorf("lock the queue: %w", asInUse(err))
	}
	c.deliveries, err = c.channel.Consume(s.queue.Name, c.tag, false, s.options.Exclusive, false, false, nil)
	if err != nil {
		return asInUse(err)
	}
	c.ctx, c.over = context.WithCancel(context.Background())
	c.acknowledger = newAcknowledger(c.channel, s.options.Prefetch)
	s.ended.Go(func() {
		for range closes {
			continue // the session reports why
		}
		c.over()
	})
	return nil
}

// serve handles deliveries until the consumer ends or the drain begins. Handlers that outlast their consumer do not delay
// the next one.
func (c *consumer) serve() {
	s := c.subscription
	c.addWorker()
	select {
	case <-s.accepting.Done():
		if err := c.channel.Cancel(c.tag, false); err == nil {
			c.giveBack()
		}
		s.giveUp()
		c.finish()
	case <-c.forgotten():
		s.broker.options.Logger.Warn("restart consumer: the broker has forgotten it", "queue", s.queue.Name)
		if err := c.channel.Cancel(c.tag, false); err != nil {
			_ = c.channel.Close() // it ends the deliveries, which the workers wait for
		}
		s.ended.Go(c.finish)
	case <-c.crowded:
		c.unlock()
		_ = c.channel.Cancel(c.tag, false)
		s.ended.Go(c.finish)
	case <-c.ctx.Done():
		s.ended.Go(c.finish)
	}
}

// giveBack requeues the deliveries that wait for a worker, so that another consumer need not wait for the handlers of
// this one. A quorum queue keeps its order only if the end of the channel requeues them, in finish.
func (c *consumer) giveBack() {
	if c.subscription.queue.Type == messaging.Quorum {
		return
	}
	for d := range c.deliveries {
		c.acknowledger.requeue(d.DeliveryTag)
	}
}

// finish waits for the handlers, acknowledges what they have handled, and closes the channel, which requeues the rest.
func (c *consumer) finish() {
	c.workers.Wait()
	c.acknowledger.close()
	c.unlock()
	_ = c.channel.Close()
	c.over()
	if c.retired.Load() {
		<-c.subscription.replaced
	}
}

// drained ends the consumer when its deliveries have ended, unless messages wait for their retry.
func (c *consumer) drained() {
	if !c.retired.Load() {
		c.over()
	}
}

// addWorker starts one more worker, up to the concurrency. Workers start as they are needed, because most of many queues
// have little to do.
func (c *consumer) addWorker() {
	if c.started.Add(1) <= int64(c.subscription.options.Concurrency) {
		c.workers.Go(c.work)
	}
}

// work handles one delivery after the other. It starts another worker before it leaves none idle.
func (c *consumer) work() {
	s := c.subscription
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.accepting.Done():
		return
	case <-c.ctx.Done():
		return
	}
	c.idle.Add(1)
	defer c.idle.Add(-1)
	for s.accepting.Err() == nil {
		select {
		case d, ok := <-c.deliveries:
			if !ok {
				c.drained()
				return
			}
			if c.idle.Add(-1) == 0 {
				c.addWorker()
			}
			c.delivered.Add(1)
			c.handle(&d)
			c.idle.Add(1)
		case <-s.accepting.Done():
			return
		}
	}
}
