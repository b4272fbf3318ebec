package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// subscription keeps a consumer alive: when its channel, its queue or its connection goes, the next consumer begins.
type subscription struct {
	broker  *Broker
	queue   messaging.Queue
	handler messaging.Handler
	options driver.SubscribeOptions

	// slots bound the handlers over all consumers: those of a lost connection may still run when the next begins.
	slots chan struct{}

	accepting context.Context // ends when the drain begins
	drain     context.CancelFunc
	handling  context.Context // ends when the drain's time is up
	cutOff    context.CancelFunc

	live    atomic.Bool
	ended   sync.WaitGroup // consumers whose handlers still run
	stopped chan struct{}
}

func newSubscription(b *Broker, q messaging.Queue, h messaging.Handler, o driver.SubscribeOptions) *subscription {
	s := &subscription{
		broker:  b,
		queue:   q,
		handler: h,
		options: o,
		slots:   make(chan struct{}, o.Concurrency),
		stopped: make(chan struct{}),
	}
	s.accepting, s.drain = context.WithCancel(context.Background())
	s.handling, s.cutOff = context.WithCancel(context.Background())
	return s
}

// Drain implements messaging.Subscription.
func (s *subscription) Drain(ctx context.Context) error {
	s.drain()
	select {
	case <-s.stopped:
		return nil
	case <-ctx.Done():
		s.cutOff()
		return fmt.Errorf("drain queue %s: %w", s.queue.Name, ctx.Err())
	}
}

// run consumes until the drain. It tells first whether the first consumer is live; a refusal that no retry can mend
// ends it then, and so does the drain.
func (s *subscription) run(first chan<- error) {
	defer func() {
		if first != nil {
			first <- messaging.ErrClosed
		}
	}()
	defer close(s.stopped)
	defer s.broker.remove(s)
	defer s.cutOff()
	defer s.ended.Wait()
	log := s.broker.options.Logger.With("queue", s.queue.Name)
	pause := newBackOff()
	for s.accepting.Err() == nil {
		c, err := s.consume()
		switch {
		case s.accepting.Err() != nil:
			if c != nil {
				c.finish()
			}
		case err != nil && first != nil && isFinal(err):
			first <- err
			first = nil
			return
		case err != nil:
			wait := pause.NextBackOff()
			log.Warn("consumer not started", "error", err, "retry_in", wait)
			sleep(s.accepting, wait)
		default:
			pause.Reset()
			if first != nil {
				first <- nil
				first = nil
			}
			s.live.Store(true)
			c.serve()
			s.live.Store(false)
		}
	}
}

// isFinal tells refusals that stay from those that pass.
func isFinal(err error) bool {
	return errors.Is(err, messaging.ErrQueueInUse) || errors.Is(err, messaging.ErrUnroutable) ||
		errors.Is(err, messaging.ErrClosed) || isCode(err, amqp.AccessRefused)
}

// consumer is one generation of a subscription, on one channel of one session.
type consumer struct {
	subscription *subscription
	session      *session
	tag          string
	channel      *amqp.Channel
	acknowledger *acknowledger
	deliveries   <-chan amqp.Delivery

	delivered atomic.Uint64 // messages so far
	started   atomic.Int64  // workers so far
	waiting   atomic.Int64  // workers that could handle one more; the prefetch has room for those

	forgotten chan struct{} // closed when the broker has forgotten the consumer

	ctx     context.Context // ends when no more deliveries come
	over    context.CancelFunc
	workers sync.WaitGroup
}

// consume begins a consumer on the live session, which it waits for.
func (s *subscription) consume() (*consumer, error) {
	sess, err := s.broker.consuming.await(s.accepting)
	if err != nil {
		return nil, err
	}
	// What the session remembers may be gone: a deleted queue is why most consumers end.
	sess.declarer.forget(s.queue.Name)
	queues := []messaging.Queue{s.queue}
	if s.queue.DeadLetter != "" {
		queues = append(queues, deadLetterQueue(s.queue))
	}
	for _, q := range queues {
		if err := sess.declarer.ensure(s.accepting, q); err != nil {
			return nil, err
		}
	}
	ch, err := sess.amqp.Channel()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	c, err := s.start(sess, ch)
	if err != nil {
		_ = ch.Close()
		return nil, fmt.Errorf("consume from queue %s: %w", s.queue.Name, err)
	}
	return c, nil
}

func (s *subscription) start(sess *session, ch *amqp.Channel) (*consumer, error) {
	if err := ch.Qos(s.options.Prefetch, 0, false); err != nil {
		return nil, fmt.Errorf("set prefetch: %w", err)
	}
	c := &consumer{subscription: s, session: sess, tag: uuid.NewString(), channel: ch, forgotten: make(chan struct{})}
	closes := ch.NotifyClose(make(chan *amqp.Error, 1))
	if err := c.begin(); err != nil {
		return nil, err
	}
	c.ctx, c.over = context.WithCancel(context.Background())
	c.acknowledger = newAcknowledger(ch, s.options.Prefetch)
	s.ended.Go(func() {
		for range closes {
			continue // what closed the channel is the session's to report
		}
		c.over()
	})
	return c, nil
}

// begin has the broker send deliveries.
func (c *consumer) begin() error {
	s := c.subscription
	if err := c.lock(); err != nil {
		return err
	}
	deliveries, err := c.channel.Consume(s.queue.Name, c.tag, false, s.options.Exclusive, false, false, nil)
	if err != nil {
		return asInUse(err)
	}
	c.deliveries = deliveries
	return nil
}

// lockSuffix makes a queue's name that of its lock.
const lockSuffix = ".consumer-lock"

// lock is the exclusive consumer of a queue that is exclusive to the connection, which the broker deletes with the
// connection, or with its node. It does what the exclusive flag promises: RabbitMQ takes that on a quorum queue and lets
// others in all the same, and which type a queue that was there before has, nobody tells. The number of its consumers is
// no help: it has those of a node that is away, for as long as that is.
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

// unlock lets others in at once: the broker takes its time to delete a queue that lost its last consumer.
func (c *consumer) unlock() {
	if c.subscription.options.Exclusive && !c.channel.IsClosed() {
		_, _ = c.channel.QueueDelete(c.subscription.queue.Name+lockSuffix, false, false, false)
	}
}

// asInUse names the broker's refusals to share a queue.
func asInUse(err error) error {
	if isCode(err, amqp.AccessRefused) && strings.Contains(err.Error(), "exclusive") || isCode(err, amqp.ResourceLocked) {
		return fmt.Errorf("%w: %w", messaging.ErrQueueInUse, err)
	}
	return err
}

// serve handles deliveries until the consumer ends or the drain begins. Handlers that outlast their consumer hold up
// no other.
func (c *consumer) serve() {
	s := c.subscription
	c.addWorker()
	s.ended.Go(c.watch)
	select {
	case <-s.accepting.Done():
		if err := c.channel.Cancel(c.tag, false); err == nil {
			c.giveBack()
		}
		c.finish()
	case <-c.forgotten:
		s.broker.options.Logger.Warn("consumer begins again: the broker has forgotten it", "queue", s.queue.Name)
		if err := c.channel.Cancel(c.tag, false); err != nil {
			_ = c.channel.Close() // it ends the deliveries, which the workers wait for
		}
		s.ended.Go(c.finish)
	case <-c.ctx.Done():
		s.ended.Go(c.finish)
	}
}

const (
	// minLookInterval is how often a consumer that is sent nothing looks whether there is something to send.
	minLookInterval = time.Second
	// looksPerSecond bounds what the looks of many consumers cost the broker.
	looksPerSecond = 50
)

// lookInterval is how often each consumer looks: the more subscriptions, the more rarely.
func (b *Broker) lookInterval() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(minLookInterval, time.Duration(len(b.subscriptions))*time.Second/looksPerSecond)
}

// watch notices that the broker has forgotten the consumer, which RabbitMQ 3.10 can do without a word to one that begins
// while another queue of the same name is being deleted: nothing comes although messages wait, at two looks, and a worker
// could handle them. Once something has come after the first moments, the broker knows the consumer.
func (c *consumer) watch() {
	if !c.pause(minLookInterval) {
		return
	}
	atFirst := c.delivered.Load()
	for held := false; c.pauseToLook(held) && c.delivered.Load() == atFirst; {
		if c.waiting.Load() == 0 {
			held = false
			continue
		}
		holds, err := c.session.declarer.holds(c.ctx, c.subscription.queue.Name)
		isGone := errors.Is(err, messaging.ErrUnroutable)
		if isGone || held && holds && c.delivered.Load() == atFirst {
			close(c.forgotten)
			return
		}
		held = holds
	}
}

// pauseToLook waits until it is time to look, which is soon if messages were waiting.
func (c *consumer) pauseToLook(held bool) bool {
	if held {
		return c.pause(minLookInterval)
	}
	return c.pause(c.subscription.broker.lookInterval())
}

// pause reports false if the consumer ends or the drain begins before it is over.
func (c *consumer) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-c.ctx.Done():
		return false
	case <-c.subscription.accepting.Done():
		return false
	}
}

// giveBack requeues what was sent ahead, so that another consumer need not wait for the handlers of this one. A quorum
// queue keeps its order only if the channel's end does it, in finish.
func (c *consumer) giveBack() {
	if c.subscription.queue.Type == messaging.Quorum {
		return
	}
	for d := range c.deliveries {
		c.acknowledger.requeue(d.DeliveryTag)
	}
}

// finish waits for the handlers, acknowledges what they have done, and gives back what none has seen.
func (c *consumer) finish() {
	c.workers.Wait()
	c.acknowledger.close()
	c.unlock()
	_ = c.channel.Close()
	c.over()
}

// addWorker starts one more, up to the concurrency. They come as they are needed: most of many queues have little to do.
func (c *consumer) addWorker() {
	if c.started.Add(1) > int64(c.subscription.options.Concurrency) {
		c.started.Add(-1)
		return
	}
	c.workers.Go(c.work)
}

// work handles one delivery after the other.
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
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	for s.accepting.Err() == nil {
		select {
		case d, ok := <-c.deliveries:
			if !ok {
				c.over()
				return
			}
			if c.waiting.Add(-1) == 0 {
				c.addWorker()
			}
			c.delivered.Add(1)
			c.handle(&d)
			c.waiting.Add(1)
		case <-s.accepting.Done():
			return
		}
	}
}
