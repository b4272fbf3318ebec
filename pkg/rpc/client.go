package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc/protocol"
)

// The errors of Client.Do, besides those of package messaging and of the context.
var (
	// ErrTimeout means that no reply came before the deadline.
	ErrTimeout = errors.New("no reply in time")
	// ErrClosed means that the client was closed before the call, or before its reply came.
	ErrClosed = errors.New("client closed")
	// ErrTooManyPending means that the calls that wait for a reply have reached a limit of ClientOptions.
	ErrTooManyPending = errors.New("too many pending calls")
	// ErrMalformedReply means that a reply came and can't be decoded.
	ErrMalformedReply = protocol.ErrMalformedReply

	errNotStarted = errors.New("client not started")
)

const (
	// callbackPrefetch is how many replies the broker may send ahead.
	callbackPrefetch = 1000
	// instanceExpiry is how long the callback queue of an instance outlives it.
	instanceExpiry = 30 * time.Minute
)

// ClientOptions are the settings of a Client. Zero values are the defaults.
type ClientOptions struct {
	// Name is the name of the calling service, e.g. "gateway". Replies arrive in the queue "<Name>.rpc.response".
	Name string
	// Instance distinguishes the processes of one service, which can't share a callback queue: each would take replies
	// that another waits for. It is appended to the queue's name, after a dot.
	Instance string
	// Temporary deletes the callback queue when the client is closed or loses its connection, and with it the replies of
	// pending calls. It is for tools, and only for classic queues.
	Temporary bool
	// CallbackQueueType is the type of the callback queue. A classic queue is away while its node is. Default: classic.
	CallbackQueueType messaging.QueueType

	// Timeout bounds calls without a Deadline. Default: 5 seconds.
	Timeout time.Duration
	// MaxPending bounds the calls that wait for a reply. Default: 10,000.
	MaxPending int
	// MaxPendingPerQueue bounds those of one queue, so that one service that hangs does not use up MaxPending. Default:
	// 2,000.
	MaxPendingPerQueue int

	// Persistent requests survive a restart of the broker. Few callers wait that long.
	Persistent bool
	// QueueType is the type of the methods' queues, if the client is the first to declare them. Default: classic.
	QueueType messaging.QueueType

	// VerifyReplies drops replies that the called service did not send: a reply from orders.get counts only if its user
	// ID, which the broker has checked, is orders, the part of the queue's name before the first dot. Without it, a
	// reply of any user that knows the call's secret counts.
	// See https://www.rabbitmq.com/docs/validated-user-id.
	VerifyReplies bool

	Logger       *slog.Logger  // default: slog.Default()
	Interceptors []Interceptor // the first is the outermost
	Observer     Observer
}

func (o ClientOptions) withDefaults() ClientOptions {
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.MaxPending = cmp.Or(o.MaxPending, 10_000)
	o.MaxPendingPerQueue = cmp.Or(o.MaxPendingPerQueue, 2_000)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}

// callbackQueue is where the replies arrive.
func (o ClientOptions) callbackQueue() messaging.Queue {
	q := messaging.Queue{Name: o.Name + ".rpc.response", Durable: true, AutoDelete: o.Temporary, Type: o.CallbackQueueType}
	if o.Instance != "" {
		q.Name += "." + o.Instance
		q.Expiry = instanceExpiry
	}
	return q
}

// Client calls methods, and receives the replies of all its calls in one callback queue. Its methods are safe for concurrent
// use.
type Client struct {
	broker  Transport
	options ClientOptions
	replies messaging.Queue
	encoder protocol.Encoder
	pending *registry
	do      Func // roundTrip behind the interceptors

	subscription  messaging.Subscription // nil before Start
	stopObserving func()
}

// NewClient returns a client. Start makes it ready.
func NewClient(broker Transport, options ClientOptions) *Client {
	options = options.withDefaults()
	c := &Client{broker: broker, options: options, replies: options.callbackQueue(), pending: newRegistry(options)}
	c.encoder = protocol.Encoder{ReplyTo: c.replies.Name, Persistent: options.Persistent}
	c.do = chain(c.roundTrip, options.Interceptors)
	return c
}

// Start declares the callback queue and consumes it, as its only consumer: if another process does, the error is
// messaging.ErrQueueInUse. Call Start once, before the first call.
func (c *Client) Start(ctx context.Context) error {
	subscription, err := c.broker.Subscribe(ctx, c.replies, c.receive,
		messaging.WithExclusive(), messaging.WithConcurrency(1), messaging.WithPrefetch(callbackPrefetch))
	if errors.Is(err, messaging.ErrQueueInUse) {
		err = fmt.Errorf("%w: each process needs its own instance name", err)
	}
	if err != nil {
		return fmt.Errorf("consume the callback queue %s: %w", c.replies.Name, err)
	}
	c.subscription = subscription
	stopReturns, stopLosses := c.broker.OnReturn(c.receiveReturn), c.broker.OnLoss(c.pending.lose)
	c.stopObserving = sync.OnceFunc(func() {
		stopReturns()
		stopLosses()
	})
	return nil
}

// Close refuses new calls with ErrClosed, waits for the replies of pending ones, and stops consuming. When ctx ends first,
// the calls that are left fail with ErrClosed, and Close returns ctx's error.
func (c *Client) Close(ctx context.Context) error {
	c.pending.close()
	if c.subscription == nil {
		return nil
	}
	var errs []error
	select {
	case <-c.pending.idle:
	case <-ctx.Done():
		if n := c.Pending(); n > 0 {
			errs = append(errs, fmt.Errorf("wait for %d replies: %w", n, ctx.Err()))
			c.pending.failAll(ErrClosed)
		}
	}
	c.stopObserving()
	if err := c.subscription.Drain(ctx); err != nil {
		errs = append(errs, fmt.Errorf("drain the callback queue %s: %w", c.replies.Name, err))
	}
	return errors.Join(errs...)
}

// Pending returns how many calls wait for their reply.
func (c *Client) Pending() int { return c.pending.len() }

// Do sends a request and waits for its reply, which may have any status. Its errors are
//
//   - ErrTimeout past the deadline: the request's, or Timeout from now if it has none, or ctx's if that is earlier. With a
//     handler's context, the deadline is earlier by a tenth of what the handler had, so that it can still reply;
//   - ctx's error as soon as ctx is cancelled;
//   - ErrTooManyPending at a limit of ClientOptions;
//   - ErrMalformedReply for a reply that can't be decoded;
//   - messaging.ErrUnavailable if the request was not sent, also because its reply could not arrive;
//   - messaging.ErrUnroutable if its queue is deleted as often as it is declared;
//   - messaging.ErrInvalidMessage if the broker can't carry the request;
//   - ErrClosed.
//
// A lost connection to the broker ends no call: the reply waits in the callback queue. Since the request itself may be
// lost, the client sends an Idempotent one again when it has reconnected, with the same ID, and the first reply counts. Any
// request may be handled more than once; see package messaging.
//
// With a handler's context, the request has the correlation ID and the trace of the handler's request, unless it has others.
func (c *Client) Do(ctx context.Context, request *Request) (*Reply, error) {
	r := *request
	if r.ID == "" {
		r.ID = uuid.NewString()
	}
	if r.CorrelationID == "" {
		r.CorrelationID = cmp.Or(CorrelationIDFrom(ctx), r.ID)
	}
	inheritTrace(ctx, &r)
	if r.Deadline.IsZero() {
		r.Deadline = time.Now().Add(c.options.Timeout)
	}
	if deadline, ok := callDeadline(ctx); ok && deadline.Before(r.Deadline) {
		r.Deadline = deadline
	}
	ctx, cancel := context.WithDeadline(ctx, r.Deadline)
	defer cancel()
	return c.do(ctx, &r)
}

// roundTrip registers the call before it sends the request, since the reply may arrive before Send has returned.
func (c *Client) roundTrip(ctx context.Context, r *Request) (*Reply, error) {
	switch {
	case c.subscription == nil:
		return nil, callError(ctx, r, errNotStarted)
	case ctx.Err() != nil:
		return nil, callError(ctx, r, ctx.Err())
	}
	secret, call := uuid.NewString(), newPendingCall(r)
	if err := c.pending.add(secret, call); err != nil {
		return nil, callError(ctx, r, err)
	}
	defer c.pending.remove(secret)
	err := c.send(ctx, r, secret)
	for err == nil {
		switch o := call.await(ctx); {
		case errors.Is(o.err, errReturned):
			err = c.send(ctx, r, secret)
		case errors.Is(o.err, errLost):
			if call.waits() {
				err = c.resend(ctx, r, secret)
			}
		case o.err != nil:
			err = o.err
			if errors.Is(err, context.DeadlineExceeded) {
				c.broker.Forget(r.Queue) // it may be away, and then the next call is to fail at once
			}
		default:
			var reply *Reply
			if reply, err = protocol.DecodeReply(o.reply); err == nil {
				return reply, nil
			}
		}
	}
	return nil, callError(ctx, r, err)
}

// send declares the queue, so that a request to a service that is down waits for it, and sends the request. It sends none whose
// reply can't arrive, because the callback queue is away.
func (c *Client) send(ctx context.Context, r *Request, secret string) error {
	if err := c.subscription.Await(ctx); err != nil {
		return err
	}
	q := messaging.Queue{Name: r.Queue, Durable: true, Type: c.options.QueueType}
	if err := c.broker.Ensure(ctx, q); err != nil {
		return err
	}
	return c.broker.Send(ctx, r.Queue, c.encoder.Request(r, secret, time.Now()))
}

// resend sends a request again that may be lost. Its error ends the call only if the broker can't carry the request: the first
// copy did not arrive either, and may be what closed the connection. After any other error the first copy may have arrived.
func (c *Client) resend(ctx context.Context, r *Request, secret string) error {
	err := c.send(ctx, r, secret)
	if resent := c.options.Observer.ResentRequest; err == nil && resent != nil {
		resent(ctx)
	}
	c.options.Logger.DebugContext(ctx, "sent a request again that may be lost",
		"queue", r.Queue, "correlation_id", r.CorrelationID, "error", err)
	if errors.Is(err, messaging.ErrInvalidMessage) {
		return err
	}
	return nil
}

// callError names the call. The end of ctx is ErrTimeout if its deadline has passed, and its own error if it was cancelled.
func callError(ctx context.Context, r *Request, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = ErrTimeout
	}
	return fmt.Errorf("call %s: %w", r.Queue, err)
}

// receive takes a reply. It must not block, since one goroutine handles the whole callback queue.
func (c *Client) receive(ctx context.Context, m messaging.Message) error {
	err := c.pending.finish(&m)
	if err == nil {
		return nil
	}
	level, dropped := slog.LevelDebug, c.options.Observer.OrphanReply
	if errors.Is(err, errForged) {
		level, dropped = slog.LevelWarn, c.options.Observer.ForgedReply
	}
	notify(dropped)
	c.options.Logger.Log(ctx, level, "dropped a reply",
		"error", err, "message_id", m.ID, "from", m.AppID, "user", m.UserID)
	return nil
}

func (c *Client) receiveReturn(r messaging.Return) {
	if r.Message.ReplyTo == c.replies.Name {
		c.pending.returned(r.Message.CorrelationID)
	}
}
