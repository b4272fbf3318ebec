package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// subscription keeps a consumer alive: when the channel, the queue or the connection is lost, it starts the next one.
type subscription struct {
	broker  *Broker
	queue   messaging.Queue
	handler messaging.Handler
	options driver.SubscribeOptions

	// slots bound the handlers of all consumers together: those of a lost connection may still run when the next consumer
	// starts.
	slots    chan struct{}
	replaced chan struct{} // one for each consumer that another has replaced, while it waits for messages to retry

	accepting context.Context // ends when the drain begins
	drain     context.CancelFunc
	retrying  context.Context // ends in a drain, once no consumer would take back what returns to the queue
	giveUp    context.CancelFunc
	handling  context.Context // ends when the drain's time is up
	cutOff    context.CancelFunc

	interrupted atomic.Pointer[interruption] // nil while a consumer is registered with the broker
	ended       sync.WaitGroup               // consumers whose handlers still run
	stopped     chan struct{}                // closed when run has returned
	held        [locks]bool                  // the locks that its consumers have held; see consumer.lock
}

func newSubscription(b *Broker, q messaging.Queue, h messaging.Handler, o driver.SubscribeOptions) *subscription {
	s := &subscription{
		broker:   b,
		queue:    q,
		handler:  h,
		options:  o,
		slots:    make(chan struct{}, o.Concurrency),
		replaced: make(chan struct{}, maxReplaced),
		stopped:  make(chan struct{}),
	}
	s.interrupted.Store(newInterruption())
	s.accepting, s.drain = context.WithCancel(context.Background())
	s.retrying, s.giveUp = context.WithCancel(context.Background())
	s.handling, s.cutOff = context.WithCancel(context.Background())
	return s
}

// Drain implements [messaging.Subscription].
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

// run consumes until the drain. It sends one value to first: nil once a consumer is live, or the refusal that ends it
// because no retry can help, or ErrClosed if the drain comes before either.
func (s *subscription) run(first chan<- error) {
	defer close(s.stopped)
	defer s.broker.remove(s)
	defer s.cutOff()
	defer s.ended.Wait()
	defer s.giveUp()
	log := s.broker.options.Logger.With("queue", s.queue.Name)
	pause := newBackOff()
	started := false
	for s.accepting.Err() == nil {
		c, err := s.consume()
		switch {
		case s.accepting.Err() != nil:
			if c != nil {
				s.giveUp()
				c.finish()
			}
		case err != nil && !started && isFinal(err):
			first <- err
			return
		case err != nil:
			s.interrupted.Load().failure.Store(&err)
			wait := pause.NextBackOff()
			log.Warn("start consumer", "error", err, "retry_in", wait)
			sleep(s.accepting, wait)
		default:
			pause.Reset()
			close(s.interrupted.Swap(nil).over)
			if !started {
				started = true
				first <- nil
			}
			c.serve()
			s.interrupted.Store(newInterruption())
		}
	}
	if !started {
		first <- messaging.ErrClosed
	}
}

// isFinal reports whether a refusal is permanent.
func isFinal(err error) bool {
	return errors.Is(err, messaging.ErrQueueInUse) || errors.Is(err, messaging.ErrUnroutable) ||
		errors.Is(err, messaging.ErrClosed) || isCode(err, amqp.AccessRefused)
}
