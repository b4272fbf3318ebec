package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// Broker implements messaging.Broker over RabbitMQ.
type Broker struct {
	options    Options
	publishing *connection
	consuming  *connection

	returns observers[messaging.Return]
	losses  observers[struct{}]
	lost    atomic.Bool // a connection that published was lost, and the observers of losses don't know yet
	closed  atomic.Bool // nothing more is taken

	mu            sync.Mutex
	closing       bool // no more subscriptions
	subscriptions map[*subscription]struct{}
	publishes     sync.WaitGroup
	closeOnce     sync.Once
	closeDone     chan struct{}
	closeErr      error // valid once closeDone is closed
}

var _ messaging.Broker = (*Broker)(nil)

// New returns a broker that connects in the background, and again whenever a connection is lost; see Ready. An error
// means that the options can't work.
func New(options Options) (*Broker, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Broker{options: options, subscriptions: map[*subscription]struct{}{}, closeDone: make(chan struct{})}
	b.publishing = newConnection("publish", options)
	b.consuming = newConnection("consume", options)
	b.publishing.start(b.openPublisher, b.reconnected)
	b.consuming.start(openDeclarer, b.reconnected)
	return b, nil
}

func (b *Broker) openPublisher(s *session) error {
	if b.options.ConfirmSends {
		s.sent = &sentMessages{session: s, onLoss: func() { b.losses.notify(struct{}{}) }}
	}
	p, err := newPublisher(s, b.returned)
	if err != nil {
		return err
	}
	s.publisher.Store(p)
	s.spawn(func() { b.renewPublisher(s, p) })
	if s.sent != nil {
		s.spawn(s.sent.run)
	}
	return nil
}

// renewPublisher begins with new channels when the broker refuses a message: a channel of RabbitMQ 3 that published to a
// quorum queue while its leader was being replaced may refuse all that comes after. A queue that has no leader yet, or is
// full, refuses on new channels too, hence the pauses.
func (b *Broker) renewPublisher(s *session, p *publisher) {
	pause := newBackOff()
	for {
		opened := time.Now()
		select {
		case <-p.spent:
		case <-s.over:
			return
		}
		if time.Since(opened) > lastRedial {
			pause.Reset()
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-s.over:
			return
		}
		var err error
		if p, err = b.replacePublisher(s, p); err != nil {
			s.end(fmt.Errorf("open channels in place of those that the broker refuses messages on: %w", err))
			return
		}
	}
}

func (b *Broker) replacePublisher(s *session, p *publisher) (*publisher, error) {
	next, err := newPublisher(s, b.returned)
	if err != nil {
		return nil, err
	}
	b.options.Logger.Warn("opened new channels: the broker refused a message, or too many await their confirms")
	s.publisher.Store(next)
	s.spawn(func() { retirePublisher(s, p) })
	return next, nil
}

// lastConfirms is how long channels that have been replaced await their confirms.
const lastConfirms = 10 * time.Second

// retirePublisher closes channels that have been replaced, once those who were about to publish on them have done so, and
// have their confirms: what comes after the close would be lost without a word.
func retirePublisher(s *session, p *publisher) {
	replaced := time.Now()
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-tick.C:
		case <-s.over:
			return
		}
		past := time.Since(replaced)
		done = past > farewell && p.isIdle() || past > lastConfirms
	}
	p.close()
}

// reconnected tells the observers of losses once what they send can be declared and published.
func (b *Broker) reconnected() {
	b.options.OnReconnect()
	// Also when it was the other: who was told of a loss may have found that one away since.
	b.lost.Store(true)
	for _, c := range []*connection{b.publishing, b.consuming} {
		if _, err := c.session(); err != nil {
			return
		}
	}
	if b.lost.CompareAndSwap(true, false) {
		b.losses.notify(struct{}{})
	}
}

func openDeclarer(s *session) error {
	s.declarer = &declarer{session: s}
	return nil
}

// Send implements messaging.Broker.
func (b *Broker) Send(ctx context.Context, queue string, m messaging.Message) error {
	s, err := b.prepare(ctx, queue, &m)
	if err == nil {
		err = s.send(ctx, queue, &m)
	}
	if err != nil {
		return fmt.Errorf("send to queue %.40s: %w", queue, b.orClosed(err))
	}
	return nil
}

// Publish implements messaging.Broker. It gives a message without an ID one.
func (b *Broker) Publish(ctx context.Context, queue string, m messaging.Message) error {
	b.mu.Lock()
	if b.closed.Load() {
		b.mu.Unlock()
		return fmt.Errorf("publish to queue %s: %w", queue, messaging.ErrClosed)
	}
	b.publishes.Add(1)
	b.mu.Unlock()
	defer b.publishes.Done()
	if err := validate(queue, &m); err != nil {
		return fmt.Errorf("publish to queue %.40s: %w", queue, err)
	}
	return b.publish(ctx, queue, m)
}

// publish also serves dead-lettering, whose headers may exceed what Validate allows to senders.
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

// validate refuses what would cost the connection, and with it every message beside this one.
func validate(queue string, m *messaging.Message) error {
	if len(queue) > messaging.MaxHeaderNameBytes {
		return fmt.Errorf("%w: a name of %d bytes, %d are allowed", messaging.ErrInvalidQueue, len(queue), messaging.MaxHeaderNameBytes)
	}
	return m.Validate()
}

func (b *Broker) prepare(ctx context.Context, queue string, m *messaging.Message) (*session, error) {
	if err := ctx.Err(); err != nil { // before what the broker's absence would say
		return nil, err
	}
	if b.closed.Load() {
		return nil, messaging.ErrClosed
	}
	if err := validate(queue, m); err != nil {
		return nil, err
	}
	return b.publishing.session()
}

// orClosed names the cause of errors that Close made.
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

// OnReturn implements messaging.Broker.
func (b *Broker) OnReturn(f func(messaging.Return)) (stop func()) {
	return b.returns.add(f)
}

// OnLoss implements messaging.Broker.
func (b *Broker) OnLoss(f func()) (stop func()) {
	return b.losses.add(func(struct{}) { f() })
}

func (b *Broker) returned(r messaging.Return) {
	b.forget(r.Queue)
	b.returns.notify(r)
}

// forget has the next Ensure declare a queue that turned out to be gone.
func (b *Broker) forget(queue string) {
	if s, err := b.consuming.session(); err == nil {
		s.declarer.forget(queue)
	}
}

// Ensure implements messaging.Broker. It declares on the connection that consumes: the other may be blocked.
func (b *Broker) Ensure(ctx context.Context, q messaging.Queue) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := q.Validate(); err != nil {
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

// Subscribe implements messaging.Broker.
func (b *Broker) Subscribe(ctx context.Context, q messaging.Queue, h messaging.Handler,
	options ...messaging.SubscribeOption,
) (messaging.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := q.Validate(); err != nil {
		return nil, err
	}
	s := newSubscription(b, q, h, driver.ResolveSubscribeOptions(options...))
	if err := b.add(s); err != nil {
		return nil, err
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

func (b *Broker) add(s *subscription) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return messaging.ErrClosed
	}
	b.subscriptions[s] = struct{}{}
	return nil
}

func (b *Broker) remove(s *subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subscriptions, s)
}

// Ready implements messaging.Broker.
func (b *Broker) Ready() error {
	if b.closed.Load() {
		return messaging.ErrClosed
	}
	s, err := b.publishing.session()
	if err != nil {
		return err
	}
	if err := s.unavailable(); err != nil {
		return err
	}
	if _, err := b.consuming.session(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subscriptions {
		if !s.live.Load() {
			return fmt.Errorf("%w: not consuming from queue %s", messaging.ErrUnavailable, s.queue.Name)
		}
	}
	return nil
}

// Close implements messaging.Broker.
func (b *Broker) Close(ctx context.Context) error {
	first := false
	b.closeOnce.Do(func() { first = true })
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

func (b *Broker) close(ctx context.Context) error {
	err := b.drainAll(ctx)
	b.mu.Lock()
	b.closed.Store(true)
	b.mu.Unlock()
	if s, unavailable := b.publishing.session(); unavailable == nil && s.unavailable() == nil {
		err = errors.Join(err, b.awaitPublishes(ctx))
	}
	var closing sync.WaitGroup
	closing.Go(b.publishing.close)
	closing.Go(b.consuming.close)
	closing.Wait()
	return err
}

// drainAll drains the subscriptions beside each other. Their handlers may publish meanwhile.
func (b *Broker) drainAll(ctx context.Context) error {
	b.mu.Lock()
	b.closing = true
	var draining []*subscription
	for s := range b.subscriptions {
		draining = append(draining, s)
	}
	b.mu.Unlock()
	errs := make([]error, len(draining))
	var drained sync.WaitGroup
	for i, s := range draining {
		drained.Go(func() { errs[i] = s.Drain(ctx) })
	}
	drained.Wait()
	return errors.Join(errs...)
}

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
