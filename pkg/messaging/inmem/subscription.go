package inmem

import (
	"context"
	"fmt"
	"time"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/driver"
)

// subscription is a consumer and its workers, goroutines that live only while there are messages to handle. The server's
// mutex is held in all methods but Await, Drain, work, take and settle.
type subscription struct {
	broker   *Broker
	queue    *queue
	settings messaging.Queue // of the subscriber; the queue may have been declared with others
	handler  messaging.Handler
	options  driver.SubscribeOptions

	ctx    context.Context // of the handlers
	cancel context.CancelFunc

	// Guarded by the server's mutex.
	waiting  []*message            // delivered, in order, and not with a handler yet
	handling map[*message]struct{} // with a handler
	retrying map[*message]struct{} // failed, and not in the queue again yet
	workers  int
	draining bool

	idle chan struct{} // closed when the last worker has ended after Drain
}

func newSubscription(b *Broker, q *queue, settings messaging.Queue, h messaging.Handler,
	o driver.SubscribeOptions) *subscription {
	s := &subscription{
		broker: b, queue: q, settings: settings, handler: h, options: o,
		handling: map[*message]struct{}{}, retrying: map[*message]struct{}{}, idle: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Await implements messaging.Subscription.
func (s *subscription) Await(ctx context.Context) error {
	s.broker.server.mu.Lock()
	defer s.broker.server.mu.Unlock()
	return named("receive from", s.queue.Name, s.broker.usable(ctx))
}

// Drain implements messaging.Subscription.
func (s *subscription) Drain(ctx context.Context) error {
	s.broker.server.mu.Lock()
	s.stop()
	s.broker.server.mu.Unlock()
	select {
	case <-s.idle:
		return nil
	default:
	}
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		s.cancel()
		return fmt.Errorf("drain %s: %w", s.queue.Name, ctx.Err())
	}
}

// stop ends deliveries.
func (s *subscription) stop() {
	if s.draining {
		return
	}
	s.draining = true
	s.queue.removeConsumer(s)
	s.putBackIdle()
	s.queue.dispatch()
	s.endIfIdle()
}

func (s *subscription) endIfIdle() {
	if !s.draining || s.workers > 0 {
		return
	}
	s.cancel()
	delete(s.broker.server.subscriptions, s)
	close(s.idle)
}

// putBackIdle returns all messages to the queue but those with a handler.
func (s *subscription) putBackIdle() {
	for _, m := range s.waiting {
		s.queue.putBack(m)
	}
	for m := range s.retrying {
		s.queue.putBack(m)
	}
	s.waiting = nil
	clear(s.retrying)
}

// putBackAll returns all messages to the queue, including those with a handler.
func (s *subscription) putBackAll() {
	s.putBackIdle()
	for m := range s.handling {
		s.retry(m, s.queue.putBack)
	}
	clear(s.handling)
}

// retry has a message put back, or gives it up at the delivery limit.
func (s *subscription) retry(m *message, putBack func(*message)) {
	if s.settings.DeliveryLimit > 0 && m.deliveries >= s.settings.DeliveryLimit {
		s.giveUp(m, deadletter.ReasonDeliveryLimit)
		return
	}
	putBack(m)
}

// putBackLater returns a message to the queue after a pause, or at once if the subscription drains.
func (s *subscription) putBackLater(m *message) {
	if s.draining {
		s.queue.putBack(m)
		return
	}
	s.retrying[m] = struct{}{}
	time.AfterFunc(driver.RetryDelay(s.options, int64(m.deliveries)), func() {
		s.broker.server.mu.Lock()
		defer s.broker.server.mu.Unlock()
		if _, held := s.retrying[m]; held {
			delete(s.retrying, m)
			s.queue.putBack(m)
			s.queue.dispatch()
		}
	})
}

// giveUp moves a message to the dead-letter queue, or drops it.
func (s *subscription) giveUp(m *message, reason string) {
	if s.settings.DeadLetter == "" {
		return
	}
	dead := s.broker.server.declare(messaging.Queue{Name: s.settings.DeadLetter, Durable: true, Type: s.settings.Type})
	dead.add(driver.Normalize(deadletter.Mark(m.Message, s.settings.Name, reason, time.Now())))
	dead.dispatch()
}

func (s *subscription) hasCapacity() bool {
	return len(s.waiting)+len(s.handling) < s.options.Prefetch
}

func (s *subscription) deliver(m *message) {
	s.waiting = append(s.waiting, m)
	if s.workers < s.options.Concurrency {
		s.workers++
		go s.work()
	}
}

func (s *subscription) work() {
	for m := s.take(); m != nil; m = s.take() {
		// The handler owns its copy: the message may be delivered again.
		err := s.handler(s.ctx, driver.Normalize(m.Message))
		s.settle(m, err)
	}
}

// take returns the next message to handle, or nil when the worker must end.
func (s *subscription) take() *message {
	s.broker.server.mu.Lock()
	defer s.broker.server.mu.Unlock()
	if len(s.waiting) == 0 {
		s.workers--
		s.endIfIdle()
		return nil
	}
	m := s.waiting[0]
	s.waiting = s.waiting[1:]
	s.handling[m] = struct{}{}
	m.deliveries++
	return m
}

// settle acknowledges, rejects or retries m as the handler's error says, unless m was put back meanwhile.
func (s *subscription) settle(m *message, err error) {
	s.broker.server.mu.Lock()
	defer s.broker.server.mu.Unlock()
	if _, held := s.handling[m]; !held {
		return
	}
	delete(s.handling, m)
	switch {
	case err == nil:
	case driver.IsRejection(err):
		s.giveUp(m, deadletter.ReasonRejected)
	default:
		s.retry(m, s.putBackLater)
	}
	s.queue.dispatch()
}
