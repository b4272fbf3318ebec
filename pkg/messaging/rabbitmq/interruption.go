package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"example.com/warren/pkg/messaging"
)

// shortInterruption is how long Await waits for a consumer: longer than a start on a busy machine takes, and too short to be
// noticed by most callers.
const shortInterruption = time.Second

var errStarting = errors.New("no consumer yet")

// interruption is a time in which a subscription has no consumer.
type interruption struct {
	began   time.Time
	over    chan struct{}         // closed when a consumer is registered
	failure atomic.Pointer[error] // why the last attempt to start one failed
}

func newInterruption() *interruption {
	return &interruption{began: time.Now(), over: make(chan struct{})}
}

// reason says why there is no consumer of a queue.
func (i *interruption) reason(queue string) error {
	reason := errStarting
	if err := i.failure.Load(); err != nil {
		reason = *err
	}
	return fmt.Errorf("%w: not consuming from queue %s: %w", messaging.ErrUnavailable, queue, reason)
}

// Await implements [messaging.Subscription].
func (s *subscription) Await(ctx context.Context) error {
	i := s.interrupted.Load()
	if i == nil {
		return nil
	}
	sess, err := s.broker.consuming.session()
	if err != nil {
		return fmt.Errorf("receive from queue %s: %w", s.queue.Name, err)
	}
	began := i.began
	if sess.began.After(began) {
		began = sess.began // no consumer can start without a connection
	}
	timer := time.NewTimer(time.Until(began.Add(shortInterruption)))
	defer timer.Stop()
	select {
	case <-i.over:
		return nil
	case <-timer.C:
		return i.reason(s.queue.Name)
	case <-ctx.Done():
		return ctx.Err()
	}
}
