package inmem

import (
	"context"
	"errors"
	"fmt"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// Broker is one connection to a Server. It implements messaging.Broker.
type Broker struct {
	server    *Server
	user      string
	closed    context.Context // ends with Close
	close     context.CancelFunc
	observers driver.Observers[messaging.Return]

	// Guarded by the server's mutex.
	closing   bool               // no new subscriptions
	returns   []messaging.Return // not yet passed to the observers
	returning chan struct{}      // closed when passReturns ends; nil when it is not running
}

// Publish implements messaging.Publisher.
func (b *Broker) Publish(ctx context.Context, queue string, m messaging.Message) error {
	return named("publish to", queue, b.route(ctx, queue, m, nil))
}

// Send implements messaging.Sender.
func (b *Broker) Send(ctx context.Context, queue string, m messaging.Message) error {
	return named("send to", queue, b.route(ctx, queue, m, b.giveBack))
}

// route adds m to the queue. If the queue does not exist, it calls unroutable, or fails if unroutable is nil.
func (b *Broker) route(ctx context.Context, queue string, m messaging.Message, unroutable func(messaging.Return)) error {
	if err := driver.ValidateMessage(&m); err != nil {
		return err
	}
	m = driver.Normalize(m)
	m.UserID = b.user
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return err
	}
	q := b.server.lookup(queue)
	switch {
	case q != nil:
		q.add(m)
		q.dispatch()
	case unroutable != nil:
		unroutable(messaging.Return{Queue: queue, Message: m})
	default:
		return messaging.ErrUnroutable
	}
	return nil
}

// usable returns nil while messages can be sent. Close still lets running handlers send. The server's mutex is held.
func (b *Broker) usable(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case b.closed.Err() != nil:
		return messaging.ErrClosed
	case b.server.away:
		return messaging.ErrUnavailable
	default:
		return nil
	}
}

// named returns err with what was attempted on a queue.
func named(attempt, queue string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: %w", attempt, queue, err)
}

// OnReturn implements messaging.Sender.
func (b *Broker) OnReturn(f func(messaging.Return)) (stop func()) { return b.observers.Add(f) }

// OnLoss implements messaging.Sender.
func (b *Broker) OnLoss(f func()) (stop func()) {
	return b.server.losses.Add(func(struct{}) { f() })
}

// giveBack has r passed to the observers from another goroutine: they may need locks that Send's caller holds.
func (b *Broker) giveBack(r messaging.Return) {
	b.returns = append(b.returns, r)
	if b.returning == nil {
		b.returning = make(chan struct{})
		go b.passReturns()
	}
}

func (b *Broker) passReturns() {
	for returns := b.takeReturns(); len(returns) > 0; returns = b.takeReturns() {
		for _, r := range returns {
			b.observers.Notify(r)
		}
	}
}

// takeReturns returns what has not been passed on yet. If that is nothing, it marks passReturns as ended.
func (b *Broker) takeReturns() []messaging.Return {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	returns := b.returns
	b.returns = nil
	if len(returns) == 0 {
		close(b.returning)
		b.returning = nil
	}
	return returns
}

// Ensure implements messaging.Sender.
func (b *Broker) Ensure(ctx context.Context, q messaging.Queue) error {
	return named("ensure queue", q.Name, b.ensure(ctx, q))
}

func (b *Broker) ensure(ctx context.Context, q messaging.Queue) error {
	if err := driver.ValidateQueue(q); err != nil {
		return err
	}
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.server.declare(q)
	return nil
}

// Forget implements messaging.Sender. Queues are never away, and Ensure remembers nothing.
func (b *Broker) Forget(string) {}

// Subscribe implements messaging.Subscriber.
func (b *Broker) Subscribe(ctx context.Context, q messaging.Queue, h messaging.Handler,
	options ...messaging.SubscribeOption) (messaging.Subscription, error) {
	s, err := b.subscribe(ctx, q, h, driver.ResolveSubscribeOptions(options...))
	if err != nil {
		return nil, named("subscribe to", q.Name, err)
	}
	return s, nil
}

func (b *Broker) subscribe(ctx context.Context, q messaging.Queue, h messaging.Handler,
	options driver.SubscribeOptions) (*subscription, error) {
	if err := driver.ValidateQueue(q); err != nil {
		return nil, err
	}
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if err := b.awaitServer(ctx); err != nil {
		return nil, err
	}
	declared := b.server.declare(q)
	if !declared.accepts(options.Exclusive) {
		return nil, messaging.ErrQueueInUse
	}
	s := newSubscription(b, declared, q, h, options)
	b.server.subscriptions[s] = struct{}{}
	declared.addConsumer(s)
	return s, nil
}

// awaitServer returns nil once the server is available. It releases the server's mutex while it waits.
func (b *Broker) awaitServer(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b.closing {
			return messaging.ErrClosed
		}
		if !b.server.away {
			return nil
		}
		changed := b.server.changed
		b.server.mu.Unlock()
		select {
		case <-changed:
		case <-b.closed.Done():
		case <-ctx.Done():
		}
		b.server.mu.Lock()
	}
}

// Inspect implements messaging.Inspector.
func (b *Broker) Inspect(ctx context.Context, queue string) (messages, consumers int, err error) {
	if err := driver.ValidateQueue(messaging.Queue{Name: queue, Durable: true}); err != nil {
		return 0, 0, named("inspect queue", queue, err)
	}
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	err = b.usable(ctx)
	q := b.server.lookup(queue)
	if err == nil && q == nil {
		err = messaging.ErrUnroutable
	}
	if err != nil {
		return 0, 0, named("inspect queue", queue, err)
	}
	q.dropExpired()
	return len(q.ready), len(q.consumers), nil
}

// Ready implements messaging.Broker.
func (b *Broker) Ready() error {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if b.closing {
		return messaging.ErrClosed
	}
	return b.usable(context.Background())
}

// Close implements messaging.Broker. Handlers may publish until they have returned.
func (b *Broker) Close(ctx context.Context) error {
	var errs []error
	subscriptions := b.stop()
	for _, s := range subscriptions {
		errs = append(errs, s.Drain(ctx))
	}
	errs = append(errs, b.disconnect(ctx, subscriptions))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close broker: %w", err)
	}
	return nil
}

// stop ends all deliveries and returns the subscriptions of b.
func (b *Broker) stop() []*subscription {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	b.closing = true
	var stopped []*subscription
	for s := range b.server.subscriptions {
		if s.broker == b {
			stopped = append(stopped, s)
			s.stop()
		}
	}
	return stopped
}

// disconnect ends publishing, puts back the messages of handlers that still run, and waits for passReturns.
func (b *Broker) disconnect(ctx context.Context, subscriptions []*subscription) error {
	b.server.mu.Lock()
	for _, s := range subscriptions {
		s.putBackAll()
		s.queue.dispatch()
	}
	b.close()
	returning := b.returning
	b.server.mu.Unlock()
	if returning == nil {
		return nil
	}
	select {
	case <-returning:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
