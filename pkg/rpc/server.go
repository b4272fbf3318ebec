package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"example.com/warren/pkg/messaging"
)

// ServerOptions are the settings of a Server. Zero values are the defaults.
type ServerOptions struct {
	// Name is the service, e.g. "orders".
	Name string
	// Concurrency bounds the requests of one queue that are handled at once. Default: 64. See WithConcurrency.
	Concurrency int
	// Prefetch is how many requests of one queue the broker may send ahead. Default: the concurrency. With more, requests
	// that no handler has seen count as delivered when the process ends; see DeliveryLimit.
	Prefetch int
	// QueueType is the type of the queues. Default: classic.
	QueueType messaging.QueueType
	// DeliveryLimit is how often a request may be delivered, because it kills its process, before it goes to
	// "<queue>.dead". Default: 5; negative: no limit.
	DeliveryLimit int
	// Persistent replies survive a restart of the broker.
	Persistent bool

	Logger       *slog.Logger  // default: slog.Default()
	Interceptors []Interceptor // the first is the outermost; Recover comes after the last
	Observer     Observer
}

func (o ServerOptions) withDefaults() ServerOptions {
	o.Concurrency = cmp.Or(o.Concurrency, 64)
	o.DeliveryLimit = max(cmp.Or(o.DeliveryLimit, 5), 0)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// HandleOption changes a setting of one method.
type HandleOption func(*endpoint)

// WithStatus sets the status of replies that come with none. Default: 200, or 204 for Empty.
func WithStatus(status int) HandleOption { return func(e *endpoint) { e.status = status } }

// WithConcurrency bounds the requests of this method that are handled at once.
func WithConcurrency(n int) HandleOption { return func(e *endpoint) { e.concurrency = n } }

// WithoutDeadLetters drops what this method would keep in "<queue>.dead", a request that kills its process again and again
// or can neither be read nor answered: for requests that hold secrets.
func WithoutDeadLetters() HandleOption { return func(e *endpoint) { e.noDeadLetters = true } }

// Server answers requests. Methods are registered before Start.
type Server struct {
	broker  messaging.Broker
	options ServerOptions

	mu            sync.Mutex
	started       bool
	endpoints     []*endpoint
	errs          []error // of registrations
	subscriptions []messaging.Subscription
	stopReturns   func()
}

// NewServer returns a server without methods.
func NewServer(broker messaging.Broker, options ServerOptions) *Server {
	return &Server{broker: broker, options: options.withDefaults()}
}

// Handle registers f as the handler of a queue, in its raw form; see the function Handle for the typed one. What is
// wrong with a registration is returned by Start.
func (s *Server) Handle(queue string, f Func, options ...HandleOption) {
	e := &endpoint{server: s, queue: queue, concurrency: s.options.Concurrency}
	for _, option := range options {
		option(e)
	}
	e.f = chain(e.finish(f), append(slices.Clone(s.options.Interceptors), Recover(s.options.Logger)))
	s.register(e)
}

func (s *Server) register(e *endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.started:
		s.options.Logger.Error("a method was registered after the start and is not served", "queue", e.queue)
	case e.queue == "":
		s.errs = append(s.errs, errors.New("a method without a queue"))
	case e.status != 0 && !validStatus(e.status):
		s.errs = append(s.errs, fmt.Errorf("handle %s: status %d is not in 200 to 599", e.queue, e.status))
	case slices.ContainsFunc(s.endpoints, func(other *endpoint) bool { return other.queue == e.queue }):
		s.errs = append(s.errs, fmt.Errorf("handle %s: it has a handler already", e.queue))
	default:
		s.endpoints = append(s.endpoints, e)
	}
}

func (s *Server) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// Start consumes the queues of all methods, or returns everything that is wrong with their registrations. Without
// the broker it waits, until ctx ends. After an error nothing is consumed.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return errors.New("server started twice")
	}
	if len(s.errs) > 0 {
		return errors.Join(s.errs...)
	}
	s.started = true
	s.stopReturns = sync.OnceFunc(s.broker.OnReturn(s.receiveReturn))
	s.subscriptions = make([]messaging.Subscription, len(s.endpoints))
	if err := s.subscribeAll(ctx); err != nil {
		return errors.Join(err, s.drain(ctx))
	}
	return nil
}

// maxSubscribing is how many queues are subscribed to at once: each takes several answers of the broker.
const maxSubscribing = 16

// subscribeAll begins no more after an error, and lets those end that it has begun: one that is cut short may have a handler
// that runs, which nobody would wait for.
func (s *Server) subscribeAll(ctx context.Context) error {
	group, failed := errgroup.WithContext(ctx)
	group.SetLimit(maxSubscribing)
	for i, e := range s.endpoints {
		group.Go(func() (err error) {
			if failed.Err() != nil {
				return failed.Err()
			}
			if s.subscriptions[i], err = s.subscribe(ctx, e); err != nil {
				return fmt.Errorf("serve %s: %w", e.queue, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *Server) subscribe(ctx context.Context, e *endpoint) (messaging.Subscription, error) {
	q := messaging.Queue{
		Name:          e.queue,
		Durable:       true,
		Type:          s.options.QueueType,
		DeliveryLimit: s.options.DeliveryLimit,
	}
	if !e.noDeadLetters {
		q.DeadLetter = e.queue + ".dead"
	}
	return s.broker.Subscribe(ctx, q, e.receive,
		messaging.Concurrency(e.concurrency), messaging.Prefetch(cmp.Or(s.options.Prefetch, e.concurrency)))
}

// Drain takes no more requests and returns when those that run have been answered. When ctx ends first, the contexts
// of the handlers are cancelled, their requests stay in the queues, and ctx's error is returned.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drain(ctx)
}

func (s *Server) drain(ctx context.Context) error {
	errs := make([]error, len(s.subscriptions))
	var wg sync.WaitGroup
	for i, subscription := range s.subscriptions {
		if subscription == nil {
			continue // Start failed before
		}
		wg.Go(func() {
			if err := subscription.Drain(ctx); err != nil {
				errs[i] = fmt.Errorf("drain %s: %w", s.endpoints[i].queue, err)
			}
		})
	}
	wg.Wait()
	if s.stopReturns != nil {
		s.stopReturns()
	}
	return errors.Join(errs...)
}

// receiveReturn sees replies to callers whose callback queue is gone. Nobody is left to try again for.
func (s *Server) receiveReturn(r messaging.Return) {
	if r.Message.Type != typeReply || r.Message.AppID != s.options.Name {
		return
	}
	notify(s.options.Observer.UnroutableReply)
	s.options.Logger.Warn("dropped a reply whose callback queue is gone",
		"queue", r.Queue, "correlation_id", r.Message.CorrelationID)
}
