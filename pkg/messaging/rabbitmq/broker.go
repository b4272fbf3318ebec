package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// Broker implements [messaging.Broker] over RabbitMQ.
type Broker struct {
	options    Options
	publishing *connection
	consuming  *connection
	disconnect context.CancelFunc // ends both
	running    sync.WaitGroup     // the goroutines of both

	returns driver.Observers[messaging.Return]
	losses  driver.Observers[struct{}]
	lost    atomic.Bool // a connection was lost, and the observers of losses have not been notified

	mu            sync.Mutex // guards closing, subscriptions, and publishes against closed
	closing       bool       // Close was called: no more subscriptions
	subscriptions map[*subscription]struct{}
	publishes     sync.WaitGroup // no Add once closed is true
	closed        atomic.Bool    // the subscriptions are drained: no more messages
	closeDone     chan struct{}
	closeErr      error // valid once closeDone is closed
}

var _ messaging.Broker = (*Broker)(nil)

// New returns a broker that connects in the background and redials whenever a connection is lost; see [Broker.Ready]. An
// error means that the options cannot work.
func New(options Options) (*Broker, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Broker{options: options, subscriptions: map[*subscription]struct{}{}, closeDone: make(chan struct{})}
	b.publishing = newConnection("publish", options, b.openPublisher, b.reconnected)
	b.consuming = newConnection("consume", options, b.openDeclarer, b.reconnected)
	ctx, disconnect := context.WithCancel(context.Background())
	b.disconnect = disconnect
	for _, c := range b.connections() {
		b.running.Go(func() { c.run(ctx) })
	}
	return b, nil
}

func (b *Broker) openPublisher(s *session) error {
	s.refusals = &refusals{broker: b, session: s}
	p, err := newPublisher(s, b.returned)
	if err != nil {
		return err
	}
	s.publisher.Store(p)
	s.refusals.start(p)
	_ = s.prober.start(firstProbe).wait(s.ctx) // what it learns counts
	return nil
}

func (b *Broker) connections() []*connection { return []*connection{b.publishing, b.consuming} }

func (b *Broker) openDeclarer(s *session) error {
	s.declarer = &declarer{session: s, log: b.options.Logger}
	return nil
}

// reconnected notifies the observers of losses once both connections are up, so that what they send can be declared and
// published.
func (b *Broker) reconnected() {
	b.options.OnReconnect()
	// Set this when either connection returns: an observer notified earlier may have seen the other one down.
	b.lost.Store(true)
	for _, c := range b.connections() {
		if _, err := c.session(); err != nil {
			return
		}
	}
	if b.lost.CompareAndSwap(true, false) {
		b.losses.Notify(struct{}{})
	}
}

// returned handles a message of Send that could not be routed.
func (b *Broker) returned(r messaging.Return) {
	b.forget(r.Queue)
	b.returns.Notify(r)
}

// forget makes the next Ensure declare a queue that turned out not to exist.
func (b *Broker) forget(queue string) {
	if s, err := b.consuming.session(); err == nil {
		s.declarer.forget(queue)
	}
}

// OnReturn implements [messaging.Broker].
func (b *Broker) OnReturn(f func(messaging.Return)) (stop func()) { return b.returns.Add(f) }

// OnLoss implements [messaging.Broker].
func (b *Broker) OnLoss(f func()) (stop func()) { return b.losses.Add(func(struct{}) { f() }) }

// Send implements [messaging.Broker].
func (b *Broker) Send(ctx context.Context, queue string, m messaging.Message) error {
	s, err := b.admit(ctx, queue, &m)
	if err == nil {
		err = s.send(ctx, queue, &m)
	}
	if err != nil {
		return fmt.Errorf("send to queue %.40s: %w", queue, b.orClosed(err))
	}
	return nil
}

// admit returns the session for a message that may be sent.
func (b *Broker) admit(ctx context.Context, queue string, m *messaging.Message) (*session, error) {
	if err := ctx.Err(); err != nil { // takes precedence over the broker's absence
		return nil, err
	}
	if b.closed.Load() {
		return nil, messaging.ErrClosed
	}
	if err := validate(queue, m); err != nil {
		return nil, err
	}
	s, err := b.publishing.session()
	if err == nil && s.maxHeaders() < messaging.MaxHeadersBytes {
		err = driver.ValidateHeaders(m.Headers, s.maxHeaders())
	}
	return s, err
}

// Publish implements [messaging.Broker]. It gives a message without an ID one.
func (b *Broker) Publish(ctx context.Context, queue string, m messaging.Message) error {
	if !b.beginPublish() {
		return fmt.Errorf("publish to queue %.40s: %w", queue, messaging.ErrClosed)
	}
	defer b.publishes.Done()
	if err := validate(queue, &m); err != nil {
		return fmt.Errorf("publish to queue %.40s: %w", queue, err)
	}
	return b.publish(ctx, queue, m)
}

// beginPublish registers a publish, for which Close waits. It reports false after Close.
func (b *Broker) beginPublish() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return false
	}
	b.publishes.Add(1)
	return true
}

// publish allows more headers than senders may use, because dead-lettering adds some.
func (b *Broker) publish(ctx context.Context, queue string, m messaging.Message) error {
	s, err := b.publishing.session()
	if err == nil {
		err = s.publish(ctx, queue, &m)
	}
	if errors.Is(err, messaging.ErrUnroutable) {
		b.forget(queue)
	}
	if err != nil {
		return fmt.Errorf("publish to queue %s: %w", queue, b.orClosed(err))
	}
	return nil
}

// validate refuses a message for which the broker would close the connection that all messages share.
func validate(queue string, m *messaging.Message) error {
	if len(queue) > messaging.MaxHeaderNameBytes {
		return fmt.Errorf("%w: a name of %d bytes, at most %d are allowed", messaging.ErrInvalidQueue, len(queue), messaging.MaxHeaderNameBytes)
	}
	return driver.ValidateMessage(m)
}

// orClosed returns ErrClosed in place of an error that Close caused.
func (b *Broker) orClosed(err error) error {
	switch {
	case !b.closed.Load():
		return err
	case errors.Is(err, messaging.ErrUnconfirmed):
		return fmt.Errorf("%w: %w", messaging.ErrClosed, err)
	case errors.Is(err, messaging.ErrUnavailable):
		return messaging.ErrClosed
	default:
		return err
	}
}

// Ensure implements [messaging.Broker]. It declares on the connection that consumes, because the other may be blocked.
func (b *Broker) Ensure(ctx context.Context, q messaging.Queue) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := driver.ValidateQueue(q); err != nil {
		return err
	}
	if b.closed.Load() {
		return messaging.ErrClosed
	}
	s, err := b.consuming.session()
	if err != nil {
		return fmt.Errorf("ensure queue %s: %w", q.Name, err)
	}
	return b.orClosed(s.declarer.ensure(ctx, q))
}

// Forget implements [messaging.Sender].
func (b *Broker) Forget(queue string) {
	if s, err := b.consuming.session(); err == nil {
		s.declarer.doubt(queue)
	}
}

// Inspect implements [messaging.Inspector].
func (b *Broker) Inspect(ctx context.Context, queue string) (messages, consumers int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	if err := driver.ValidateQueue(messaging.Queue{Name: queue, Durable: true}); err != nil {
		return 0, 0, err
	}
	if b.closed.Load() {
		return 0, 0, messaging.ErrClosed
	}
	s, err := b.consuming.session()
	if err != nil {
		return 0, 0, fmt.Errorf("inspect queue %.40s: %w", queue, err)
	}
	found, err := s.declarer.look(ctx, queue)
	if err != nil {
		return 0, 0, fmt.Errorf("inspect queue %.40s: %w", queue, b.orClosed(asRefused(err)))
	}
	return found.Messages, found.Consumers, nil
}

// Subscribe implements [messaging.Broker].
func (b *Broker) Subscribe(ctx context.Context, q messaging.Queue, h messaging.Handler,
	options ...messaging.SubscribeOption,
) (messaging.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := driver.ValidateQueue(q); err != nil {
		return nil, err
	}
	s := newSubscription(b, q, h, driver.ResolveSubscribeOptions(options...))
	if !b.add(s) {
		return nil, messaging.ErrClosed
	}
	first := make(chan error, 1)
	go s.run(first)
	select {
	case err := <-first:
		if err != nil {
			return nil, fmt.Errorf("subscribe to queue %s: %w", q.Name, err)
		}
		return s, nil
	case <-ctx.Done():
		s.drain()
		return nil, fmt.Errorf("subscribe to queue %s: %w", q.Name, ctx.Err())
	}
}

// add registers a subscription, which Close drains. It reports false once Close has begun.
func (b *Broker) add(s *subscription) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return false
	}
	b.subscriptions[s] = struct{}{}
	return true
}

func (b *Broker) remove(s *subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subscriptions, s)
}

// Ready implements [messaging.Broker].
func (b *Broker) Ready() error {
	if b.closed.Load() {
		return messaging.ErrClosed
	}
	s, err := b.publishing.session()
	if err != nil {
		return err
	}
	if err := s.prober.admit(context.Background(), 0); err != nil {
		return err
	}
	if _, err := b.consuming.session(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subscriptions {
		if i := s.interrupted.Load(); i != nil {
			return i.reason(s.queue.Name)
		}
	}
	return nil
}

// Close implements [messaging.Broker].
func (b *Broker) Close(ctx context.Context) error {
	b.mu.Lock()
	first := !b.closing
	b.closing = true
	b.mu.Unlock()
	if first {
		b.closeErr = b.close(ctx)
		close(b.closeDone)
		return b.closeErr
	}
	select {
	case <-b.closeDone:
		return b.closeErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close drains the subscriptions, whose handlers may still publish, then waits for running publishes, and disconnects.
func (b *Broker) close(ctx context.Context) error {
	err := b.drainAll(ctx)
	b.mu.Lock()
	b.closed.Store(true)
	b.mu.Unlock()
	if s, unavailable := b.publishing.session(); unavailable == nil && s.unavailable() == nil {
		err = errors.Join(err, b.awaitPublishes(ctx))
	}
	b.disconnect()
	b.running.Wait()
	return err
}

// drainAll drains all subscriptions concurrently.
func (b *Broker) drainAll(ctx context.Context) error {
	b.mu.Lock()
	subscriptions := slices.Collect(maps.Keys(b.subscriptions))
	b.mu.Unlock()
	errs := make([]error, len(subscriptions))
	var draining sync.WaitGroup
	for i, s := range subscriptions {
		draining.Go(func() { errs[i] = s.Drain(ctx) })
	}
	draining.Wait()
	return errors.Join(errs...)
}

// awaitPublishes waits for the publishes that began before Close.
func (b *Broker) awaitPublishes(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		b.publishes.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("await running publishes: %w", ctx.Err())
	}
}
