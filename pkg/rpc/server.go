package rpc

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc/protocol"
)

// ServerOptions are the settings of a Server. Zero values are the defaults.
type ServerOptions struct {
	// Name is the name of the service, e.g. "orders".
	Name string
	// Concurrency bounds the requests of one method that are handled at once. Default: 64. See WithConcurrency.
	Concurrency int
	// Prefetch is how many requests of one queue the broker may send ahead. Default: the concurrency. With more, requests
	// that no handler has seen count as delivered when the process ends; see DeliveryLimit.
	Prefetch int
	// QueueType is the type of the queues. Default: classic.
	QueueType messaging.QueueType
	// DeliveryLimit is how many deliveries a request gets if each of them ends the process, before it goes to
	// "<queue>.dead". Default: 5; negative: no limit.
	DeliveryLimit int
	// Persistent replies survive a restart of the broker.
	Persistent bool
	// KeepMessages makes MessageFrom return the messages of requests, for traces. It costs an allocation for each request.
	KeepMessages bool

	// IdentityKey returns the public key with an ID, or nil if there is none. Requests whose identity none of the keys has
	// signed get status 401. Without it, an identity counts if it is not expired.
	IdentityKey func(id string) ed25519.PublicKey
	// IdentityLeeway is how long an identity counts after it has expired.
	IdentityLeeway time.Duration

	Logger       *slog.Logger  // default: slog.Default()
	Interceptors []Interceptor // the first is the outermost
	Observer     Observer
}

func (o ServerOptions) withDefaults() ServerOptions {
	o.Concurrency = cmp.Or(o.Concurrency, 64)
	o.DeliveryLimit = max(cmp.Or(o.DeliveryLimit, 5), 0)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}

// HandleOption changes a setting of one method.
type HandleOption func(*method)

// WithStatus sets the status of replies that come with none. Default: 200, or 204 for Empty.
func WithStatus(status int) HandleOption { return func(m *method) { m.status = status } }

// WithConcurrency bounds the requests of this method that are handled at once.
func WithConcurrency(n int) HandleOption { return func(m *method) { m.concurrency = n } }

// WithErrors translates the errors of the handler before the reply is made of them: the one place where a service
// says which status and reason a domain error has. translate returns errors that it does not know as they are.
func WithErrors(translate func(error) error) HandleOption {
	return func(m *method) { m.translate = translate }
}

// WithoutDeadLetters drops requests that would go to "<queue>.dead", because they end their process again and again or can
// neither be decoded nor replied to. Use it for requests that hold secrets.
func WithoutDeadLetters() HandleOption { return func(m *method) { m.noDeadLetters = true } }

// Server consumes the queues of a service's methods and replies to the requests in them. Register the methods before
// Start, with [Handle] or Server.Handle.
type Server struct {
	*methods
	shared []HandleOption // see With
}

// methods is what a server and the views that With returns have in common.
type methods struct {
	broker     Transport
	options    ServerOptions
	encoder    protocol.Encoder
	identities *identityVerifier

	mu            sync.Mutex // guards the fields below
	started       bool
	all           []*method
	errs          []error                  // of registrations
	subscriptions []messaging.Subscription // of all, in the same order
	stopReturns   func()
}

// NewServer returns a server without methods.
func NewServer(broker Transport, options ServerOptions) *Server {
	return &Server{methods: &methods{
		broker:     broker,
		options:    options.withDefaults(),
		encoder:    protocol.Encoder{AppID: options.Name, Persistent: options.Persistent},
		identities: newIdentityVerifier(options.IdentityKey, options.IdentityLeeway),
	}}
}

// With returns a view of s: methods that are registered on it belong to s and have these options before their own.
func (s *Server) With(options ...HandleOption) *Server {
	return &Server{methods: s.methods, shared: slices.Concat(s.shared, options)}
}

// Handle registers f as the handler of a method, in its raw form; see the function [Handle] for the typed one. Start
// returns what is wrong with a registration.
func (s *Server) Handle(queue string, f Func, options ...HandleOption) {
	m := &method{methods: s.methods, queue: queue, handler: f, concurrency: s.options.Concurrency}
	for _, option := range slices.Concat(s.shared, options) {
		option(m)
	}
	m.call = chain(m.run, s.options.Interceptors)
	s.register(m)
}

func (s *methods) register(m *method) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.started:
		s.options.Logger.Error("a method was registered after the start and is not served", "queue", m.queue)
	case m.err != nil:
		s.errs = append(s.errs, fmt.Errorf("handle %s: %w", m.queue, m.err))
	case m.queue == "":
		s.errs = append(s.errs, errors.New("a method without a queue"))
	case m.status != 0 && !protocol.ValidStatus(m.status):
		s.errs = append(s.errs, fmt.Errorf("handle %s: status %d is not in 200 to 599", m.queue, m.status))
	case slices.ContainsFunc(s.all, func(other *method) bool { return other.queue == m.queue }):
		s.errs = append(s.errs, fmt.Errorf("handle %s: it has a handler already", m.queue))
	default:
		s.all = append(s.all, m)
	}
}

// Start consumes the queues of all methods, or returns everything that is wrong with their registrations. While the
// broker is away it waits until ctx ends. After an error nothing is consumed.
func (s *methods) Start(ctx context.Context) error {
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
	s.subscriptions = make([]messaging.Subscription, len(s.all))
	if err := s.subscribeAll(ctx); err != nil {
		return errors.Join(err, s.drain(ctx))
	}
	return nil
}

// maxSubscribing bounds the subscriptions that are made at once. Each takes several round trips to the broker.
const maxSubscribing = 16

// subscribeAll begins no subscription after one has failed, and waits for those that it has begun. It does not cancel
// them: a handler of a cancelled subscription might already run, and drain would not wait for it.
func (s *methods) subscribeAll(ctx context.Context) error {
	group, failed := errgroup.WithContext(ctx)
	group.SetLimit(maxSubscribing)
	for i, m := range s.all {
		group.Go(func() (err error) {
			if failed.Err() != nil {
				return failed.Err()
			}
			if s.subscriptions[i], err = m.subscribe(ctx); err != nil {
				return fmt.Errorf("serve %s: %w", m.queue, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Drain takes no more requests and returns when those in flight have been replied to. When ctx ends first, the contexts
// of the handlers are cancelled, their requests stay in the queues, and Drain returns ctx's error.
func (s *methods) Drain(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drain(ctx)
}

func (s *methods) drain(ctx context.Context) error {
	errs := make([]error, len(s.subscriptions))
	var wg sync.WaitGroup
	for i, subscription := range s.subscriptions {
		if subscription == nil {
			continue // Start failed before
		}
		wg.Go(func() {
			if err := subscription.Drain(ctx); err != nil {
				errs[i] = fmt.Errorf("drain %s: %w", s.all[i].queue, err)
			}
		})
	}
	wg.Wait()
	if s.stopReturns != nil {
		s.stopReturns()
	}
	return errors.Join(errs...)
}

// receiveReturn counts replies whose callback queue is gone. It does not send them again, since their caller is gone too.
func (s *methods) receiveReturn(r messaging.Return) {
	if !protocol.IsReply(r.Message) || r.Message.AppID != s.options.Name {
		return
	}
	notify(s.options.Observer.UnroutableReply)
	s.options.Logger.Warn("dropped a reply whose callback queue is gone",
		"queue", r.Queue, "message_id", r.Message.ID)
}
