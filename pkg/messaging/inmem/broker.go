package inmem

import (
	"context"
	"fmt"
	"slices"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// Broker is one connection to a Server. It implements messaging.Broker.
type Broker struct {
	server *Server
	user   string
	closed chan struct{} // closed once the connection is

	// Guarded by the server's mutex.
	closing   bool
	callbacks []*func(messaging.Return)
	returns   []messaging.Return // not yet passed to the callbacks
	returning chan struct{}      // closed when the goroutine that passes them ends; nil without one
}

// Publish implements messaging.Broker.
func (b *Broker) Publish(ctx context.Context, queue string, m messaging.Message) error {
	refuse := func(messaging.Return) error { return messaging.ErrUnroutable }
	if err := b.route(ctx, queue, m, refuse); err != nil {
		return fmt.Errorf("publish to %q: %w", queue, err)
	}
	return nil
}

// Send implements messaging.Broker.
func (b *Broker) Send(ctx context.Context, queue string, m messaging.Message) error {
	if err := b.route(ctx, queue, m, b.giveBack); err != nil {
		return fmt.Errorf("send to %q: %w", queue, err)
	}
	return nil
}

// route adds m to the queue, and calls unroutable, with the server's mutex held, if there is no such queue.
func (b *Broker) route(ctx context.Context, queue string, m messaging.Message,
	unroutable func(messaging.Return) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.Validate(); err != nil {
		return err
	}
	m = driver.Normalize(m)
	m.UserID = b.user
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if err := b.usable(); err != nil {
		return err
	}
	q := b.server.lookup(queue)
	if q == nil {
		return unroutable(messaging.Return{Queue: queue, Message: m})
	}
	q.add(m)
	q.dispatch()
	return nil
}

// usable is nil while messages can be sent; also by handlers that Close waits for. The server's mutex is held.
func (b *Broker) usable() error {
	select {
	case <-b.closed:
		return messaging.ErrClosed
	default:
	}
	if b.server.away {
		return messaging.ErrUnavailable
	}
	return nil
}

// OnReturn implements messaging.Broker. A call of f may still be running when stop returns.
func (b *Broker) OnReturn(f func(messaging.Return)) (stop func()) {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	callback := &f
	b.callbacks = append(b.callbacks, callback)
	return func() {
		b.server.mu.Lock()
		defer b.server.mu.Unlock()
		b.callbacks = slices.DeleteFunc(b.callbacks, func(other *func(messaging.Return)) bool { return other == callback })
	}
}

// OnLoss implements messaging.Broker. A call of f may still be running when stop returns.
func (b *Broker) OnLoss(f func()) (stop func()) {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	b.server.losses[&f] = struct{}{}
	return func() {
		b.server.mu.Lock()
		defer b.server.mu.Unlock()
		delete(b.server.losses, &f)
	}
}

// giveBack passes r to the callbacks from another goroutine, so that they may take locks that Send's caller holds.
func (b *Broker) giveBack(r messaging.Return) error {
	b.returns = append(b.returns, r)
	if b.returning == nil {
		b.returning = make(chan struct{})
		go b.passReturns()
	}
	return nil
}

func (b *Broker) passReturns() {
	for r, callbacks := b.nextReturn(); r != nil; r, callbacks = b.nextReturn() {
		for _, f := range callbacks {
			(*f)(*r)
		}
	}
}

// nextReturn returns nil, and closes b.returning, when there are no more.
func (b *Broker) nextReturn() (*messaging.Return, []*func(messaging.Return)) {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if len(b.returns) == 0 {
		close(b.returning)
		b.returning = nil
		return nil, nil
	}
	r := b.returns[0]
	b.returns = b.returns[1:]
	return &r, slices.Clone(b.callbacks)
}

// Ensure implements messaging.Broker.
func (b *Broker) Ensure(ctx context.Context, q messaging.Queue) error {
	if err := b.ensure(ctx, q); err != nil {
		return fmt.Errorf("ensure queue %q: %w", q.Name, err)
	}
	return nil
}

func (b *Broker) ensure(ctx context.Context, q messaging.Queue) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := q.Validate(); err != nil {
		return err
	}
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if err := b.usable(); err != nil {
		return err
	}
	b.server.declare(q)
	return nil
}

// Subscribe implements messaging.Broker.
func (b *Broker) Subscribe(ctx context.Context, q messaging.Queue, h messaging.Handler,
	options ...messaging.SubscribeOption) (messaging.Subscription, error) {
	s, err := b.subscribe(ctx, q, h, driver.ResolveSubscribeOptions(options...))
	if err != nil {
		return nil, fmt.Errorf("subscribe to %q: %w", q.Name, err)
	}
	return s, nil
}

func (b *Broker) subscribe(ctx context.Context, q messaging.Queue, h messaging.Handler,
	options driver.SubscribeOptions) (*subscription, error) {
	if err := q.Validate(); err != nil {
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

// awaitServer returns when the server is there. The server's mutex is held, and released while it waits.
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
		case <-b.closed:
		case <-ctx.Done():
		}
		b.server.mu.Lock()
	}
}

// Ready implements messaging.Broker.
func (b *Broker) Ready() error {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if b.closing {
		return messaging.ErrClosed
	}
	return b.usable()
}

// Close implements messaging.Broker. Handlers may publish until it has waited for them.
func (b *Broker) Close(ctx context.Context) error {
	subscriptions := b.stop()
	var err error
	for _, s := range subscriptions {
		if drained := s.Drain(ctx); err == nil {
			err = drained
		}
	}
	if returned := b.disconnect(ctx, subscriptions); err == nil {
		err = returned
	}
	if err != nil {
		return fmt.Errorf("close broker: %w", err)
	}
	return nil
}

// stop ends all deliveries and returns the subscriptions that were left.
func (b *Broker) stop() []*subscription {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	b.closing = true
	var left []*subscription
	for s := range b.server.subscriptions {
		if s.broker == b {
			left = append(left, s)
		}
	}
	for _, s := range left {
		s.stop()
	}
	return left
}

// disconnect ends publishing, takes the messages of the handlers that still run, and waits for running callbacks.
func (b *Broker) disconnect(ctx context.Context, subscriptions []*subscription) error {
	b.server.mu.Lock()
	for _, s := range subscriptions {
		s.giveBack()
		s.queue.dispatch()
	}
	select {
	case <-b.closed:
	default:
		close(b.closed)
	}
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
