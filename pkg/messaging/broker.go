package messaging

import "context"

// Handler takes one message. nil acknowledges it; an error rejects it: it is delivered again until its queue's
// delivery limit, then dead-lettered (see Queue). The context ends when a drain's time is up, not when the
// connection to the broker is lost.
type Handler func(ctx context.Context, m Message) error

// Return is a message that Send could not route, with the queue it was meant for.
type Return struct {
	Queue   string
	Message Message
}

// Broker carries messages between services. All methods may be called concurrently and end early, with the
// context's error, when ctx ends.
type Broker interface {
	// Publish returns once the broker has taken responsibility for m: for a durable queue and a persistent message,
	// once it is on disk. ErrUnroutable if no queue takes it; ErrUnavailable if the broker is away or was lost before
	// it confirmed, in which case m may have been taken or not.
	Publish(ctx context.Context, queue string, m Message) error
	// Send hands m to the broker without waiting for it: nil means that m was written to the connection.
	// ErrUnavailable: m was not sent. A message that can't be routed comes back to OnReturn.
	Send(ctx context.Context, queue string, m Message) error
	// OnReturn calls f with each message that this Broker sent and could not route, until stop. f must not block.
	OnReturn(f func(Return)) (stop func())
	// OnLoss calls f when messages that were handed over before may be lost and the broker can be reached (again), until stop:
	// after a connection that Send used was lost, for one. f must not block.
	OnLoss(f func()) (stop func())
	// Subscribe ensures q and returns once the consumer is live. It stays live, across lost connections and deleted
	// queues, until Drain. While the broker is away Subscribe waits for it. ErrQueueInUse: see Exclusive.
	Subscribe(ctx context.Context, q Queue, h Handler, options ...SubscribeOption) (Subscription, error)
	// Ensure declares q unless it exists; one that exists with other settings is taken as it is. Known queues cost
	// nothing: they are remembered as long as the connection lasts, or until a message to them can't be routed.
	// ErrUnavailable if the broker is away.
	Ensure(ctx context.Context, q Queue) error
	// Ready is nil while messages can be sent and received, and otherwise says why not.
	Ready() error
	// Close drains the subscriptions, waits for running publishes, and disconnects. Blocked publishers get ErrClosed.
	// When ctx ends, what is left is cut off.
	Close(ctx context.Context) error
}

// Subscription is a live consumer.
type Subscription interface {
	// Drain stops deliveries, waits for the handlers that run, and gives their messages' acknowledgements to the
	// broker; messages that no handler has seen stay in the queue. When ctx ends first, the contexts of the handlers
	// are cancelled and its error is returned. Further calls wait for the first.
	Drain(ctx context.Context) error
}

// SubscribeOptions are the settings of a subscription, as adapters read them.
type SubscribeOptions struct {
	Prefetch    int
	Concurrency int
	Exclusive   bool
}

// SubscribeOption changes a setting of a subscription.
type SubscribeOption func(*SubscribeOptions)

// DefaultPrefetch lets the broker send ahead: a prefetch of 1 costs three quarters of the throughput.
const DefaultPrefetch = 50

// NewSubscribeOptions returns the defaults (a prefetch of DefaultPrefetch, one handler at a time, not exclusive)
// changed by options. The prefetch is at least the concurrency: more handlers could never run.
func NewSubscribeOptions(options ...SubscribeOption) SubscribeOptions {
	o := SubscribeOptions{Prefetch: DefaultPrefetch, Concurrency: 1}
	for _, option := range options {
		option(&o)
	}
	o.Concurrency = max(o.Concurrency, 1)
	o.Prefetch = min(max(o.Prefetch, o.Concurrency), 1<<16-1)
	return o
}

// Prefetch bounds the messages that are delivered and not yet acknowledged.
func Prefetch(n int) SubscribeOption { return func(o *SubscribeOptions) { o.Prefetch = n } }

// Concurrency bounds the handlers that run at once. With 1 (the default) messages are handled in the queue's order.
func Concurrency(n int) SubscribeOption { return func(o *SubscribeOptions) { o.Concurrency = n } }

// Exclusive makes this the queue's only consumer: Subscribe fails with ErrQueueInUse if the queue has one, and so
// does every later Subscribe on it. RabbitMQ doesn't know exclusive consumers of quorum queues: there, only those that
// ask for it keep each other out.
func Exclusive() SubscribeOption { return func(o *SubscribeOptions) { o.Exclusive = true } }
