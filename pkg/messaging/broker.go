package messaging

import (
	"context"
	"time"

	"example.com/warren/pkg/messaging/internal/seam"
)

// Handler handles one message. Nil acknowledges the message. After an error it is delivered again, until the queue's delivery
// limit and after a pause (see [WithRetryDelay]), unless [Reject] marks the error. The context ends when the time of Drain or
// Close is up. A lost connection does not end it.
type Handler func(ctx context.Context, m Message) error

// Return is a message that Send could not route to Queue.
type Return struct {
	Queue   string
	Message Message
}

// Publisher publishes messages and waits for the broker to confirm them.
type Publisher interface {
	// Publish returns once the broker has confirmed m: for a durable queue and a persistent message, once m is on disk.
	// The error wraps ErrUnroutable if no queue takes m, ErrUnavailable if the broker did not take m, and ErrUnconfirmed
	// if m was handed over and its confirm did not come, so that the broker may have taken m.
	Publish(ctx context.Context, queue string, m Message) error
}

// Sender sends messages without waiting for confirms.
type Sender interface {
	// Ensure declares q unless it exists. An existing queue with other settings is used as it is. Known queues are
	// remembered until the connection is lost, a message to them is unroutable, or Forget is called, so calling Ensure before
	// each message costs nothing. The error wraps ErrUnavailable if the broker or the queue is away.
	Ensure(ctx context.Context, q Queue) error
	// Forget makes the next Ensure look whether a queue is still there. Call it when messages to the queue get no response: a
	// broker may drop them silently while the queue's node is down.
	Forget(queue string)
	// Send returns once m is written to the connection. If the error wraps ErrUnavailable, m was not sent. If no queue takes
	// m, the functions registered with OnReturn get it.
	Send(ctx context.Context, queue string, m Message) error
	// OnReturn registers f, which is called with each message that Send could not route; call stop to unregister it. f must
	// not block. A call of f may still be running when stop returns.
	OnReturn(f func(Return)) (stop func())
	// OnLoss registers f, which is called when messages sent earlier may be lost and the broker is reachable, for example
	// after a reconnection; call stop to unregister it. f must not block. A call of f may still be running when stop returns.
	OnLoss(f func()) (stop func())
}

// Subscriber receives messages.
type Subscriber interface {
	// Subscribe declares q as Sender.Ensure does and returns once the consumer is live. While the broker is away, Subscribe
	// waits for it. The subscription survives lost connections and deleted queues until Drain. The error wraps
	// ErrQueueInUse if an exclusive consumer is involved; see WithExclusive.
	Subscribe(ctx context.Context, q Queue, h Handler, options ...SubscribeOption) (Subscription, error)
}

// Inspector looks at queues.
type Inspector interface {
	// Inspect returns how many messages of a queue wait for a consumer, and how many consumers the queue has. The numbers of a
	// quorum queue may be seconds old. The error wraps ErrUnroutable if there is no such queue, ErrInvalidQueue if there
	// can be none, and ErrUnavailable if the broker is away or does not let this user look.
	Inspect(ctx context.Context, queue string) (messages, consumers int, err error)
}

// Broker is a connection to a message broker in all roles. All methods may be called concurrently, and return the context's
// error when ctx ends first.
type Broker interface {
	Publisher
	Sender
	Subscriber
	Inspector
	// Ready returns nil while messages can be sent and received, and otherwise the reason why not.
	Ready() error
	// Close drains the subscriptions, waits for running publishes, and disconnects. Blocked publishers get ErrClosed.
	// When ctx ends first, Close disconnects at once.
	Close(ctx context.Context) error
}

// Subscription is a live consumer.
type Subscription interface {
	// Await returns nil while messages arrive. During an interruption it waits for the end, up to a second after the broker was
	// reachable again. The error wraps ErrUnavailable and says why no messages arrive.
	Await(ctx context.Context) error
	// Drain stops deliveries, waits for the running handlers, and passes their acknowledgements to the broker. Messages that
	// no handler has seen stay in the queue. When ctx ends first, Drain cancels the contexts of the handlers and returns
	// ctx's error. Further calls wait for the first.
	Drain(ctx context.Context) error
}

// SubscribeOption changes a setting of a subscription.
type SubscribeOption func(*seam.SubscribeOptions)

// WithPrefetch bounds the messages that are delivered and not yet acknowledged. Default: 50, and at least the concurrency.
func WithPrefetch(n int) SubscribeOption { return func(o *seam.SubscribeOptions) { o.Prefetch = n } }

// WithConcurrency bounds the handlers that run at once. With 1, the default, messages are handled in the queue's order.
func WithConcurrency(n int) SubscribeOption {
	return func(o *seam.SubscribeOptions) { o.Concurrency = n }
}

// WithRetryDelay sets how long a message waits after its handler returned an error: first after its first delivery, and twice
// as long after each further one, but at most last. Default: one second and 30 seconds. Other messages are delivered meanwhile,
// and the prefetch does not count those that wait. When the subscription drains, they return to the queue at once.
func WithRetryDelay(first, last time.Duration) SubscribeOption {
	return func(o *seam.SubscribeOptions) { o.FirstRetry, o.LastRetry = first, last }
}

// WithExclusive makes this the queue's only consumer: Subscribe fails with ErrQueueInUse if the queue has another one, and
// so does every later Subscribe. RabbitMQ has no exclusive consumers of quorum queues. There, only consumers with this
// option exclude each other.
func WithExclusive() SubscribeOption { return func(o *seam.SubscribeOptions) { o.Exclusive = true } }
