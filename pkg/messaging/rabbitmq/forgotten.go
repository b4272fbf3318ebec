// RabbitMQ 3.10 needs this file. Measured with 3.10.8: about one in a hundred consumers that begin while another queue of
// the same name is being deleted is forgotten. The broker counts it and drops what the queue sends it, so that calls time
// out until the process restarts. Later versions have not been measured: before you delete the file, run
// TestSubscriptionSurvivesManyDeletedQueues without it.
//
// To delete it, remove forgotten_test.go, and what the compiler then reports: the case of consumer.forgotten in
// consumer.serve, and consumer.delivered.

package rabbitmq

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

const (
	// minLookInterval is how often an idle consumer looks whether messages wait for it.
	minLookInterval = time.Second
	// looksPerSecond bounds what the looks of many consumers cost the broker.
	looksPerSecond = 50
)

// forgotten returns a channel that is closed when the broker has forgotten the consumer.
func (c *consumer) forgotten() <-chan struct{} {
	forgotten := make(chan struct{})
	c.subscription.ended.Go(func() {
		if c.isForgotten() {
			close(forgotten)
		}
	})
	return forgotten
}

// isForgotten returns when the broker has forgotten the consumer, or cannot forget it any more. The sign is that no
// delivery comes although messages wait, at two looks in a row, and a worker is idle. A delivery after the first moments
// proves that the broker knows the consumer.
func (c *consumer) isForgotten() bool {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	defer context.AfterFunc(c.subscription.accepting, cancel)()
	sleep(ctx, minLookInterval)
	atFirst := c.delivered.Load()
	isIgnored := func() bool { return ctx.Err() == nil && c.delivered.Load() == atFirst }
	for held := false; isIgnored(); {
		interval := c.subscription.broker.lookInterval()
		if held {
			interval = minLookInterval
		}
		if sleep(ctx, interval); !isIgnored() {
			return false
		}
		var state amqp.Queue
		var err error
		if c.idle.Load() > 0 && c.waiting.Load() == 0 { // messages to retry may fill the prefetch
			state, err = c.session.declarer.look(ctx, c.subscription.queue.Name)
		}
		if errors.Is(err, messaging.ErrUnroutable) || held && state.Messages > 0 && isIgnored() {
			return true
		}
		held = state.Messages > 0
	}
	return false
}

// lookInterval is how often each consumer looks: the more subscriptions there are, the less often.
func (b *Broker) lookInterval() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(minLookInterval, time.Duration(len(b.subscriptions))*time.Second/looksPerSecond)
}
