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

// The errors of a client's Do, next to those of package messaging and ctx's own.
var (
	// ErrTimeout: no reply came before the deadline.
	ErrTimeout = errors.New("no reply in time")
	// ErrClosed: the client was closed before the call, or before its reply came.
	ErrClosed = errors.New("client closed")
	// ErrMalformedReply: a reply came and can't be decoded.
	ErrMalformedReply = protocol.ErrMalformedReply

	errNotStarted = errors.New("client not started")
)

// ClientOptions are the settings of a Client. Zero values are the defaults.
type ClientOptions struct {
	// Name is the calling service, e.g. "gateway".
	Name string
	// CallbackQueue is where replies arrive. Default: "<Name>.rpc.response".
	CallbackQueue string
	// Instance tells apart several processes of one service, which must not share a callback queue: each would take
	// replies that another waits for. Set, it is appended to CallbackQueue after a dot.
	Instance string
	// InstanceExpiry is when the callback queue of an instance that has gone is deleted. Default: 30 minutes.
	InstanceExpiry time.Duration
	// CallbackQueueType is the type of the callback queue. A classic one is away while its node is. Default: classic.
	CallbackQueueType messaging.QueueType
	// Prefetch is how many replies the broker may send ahead. Default: 1000.
	Prefetch int

	// Timeout bounds the calls that set no Deadline. Default: 5 seconds.
	Timeout time.Duration
	// MaxPending bounds the calls that wait for a reply, MaxPendingPerQueue those on one queue, so that one service
	// that hangs does not take the room of the others. Defaults: 10,000 and 2,000.
	MaxPending         int
	MaxPendingPerQueue int

	// Persistent requests survive a restart of the broker. A caller rarely waits that long.
	Persistent bool
	// QueueType is the type of the queues called, if the client is the first to need them. Default: classic.
	QueueType messaging.QueueType

	// VerifyReplies drops replies that the called service did not send: a reply from orders.get counts only if its user
	// ID, which the broker has checked, is orders, the part of the queue's name before the first dot. Without it, a
	// reply of any user that knows the correlation ID counts.
	// See https://www.rabbitmq.com/docs/validated-user-id.
	VerifyReplies bool

	Logger       *slog.Logger  // default: slog.Default()
	Interceptors []Interceptor // the first is the outermost
	Observer     Observer
}

func (o ClientOptions) withDefaults() ClientOptions {
	o.CallbackQueue = cmp.Or(o.CallbackQueue, o.Name+".rpc.response")
	if o.Instance != "" {
		o.CallbackQueue += "." + o.Instance
	}
	o.InstanceExpiry = cmp.Or(o.InstanceExpiry, 30*time.Minute)
	o.Prefetch = cmp.Or(o.Prefetch, 1000)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.MaxPending = cmp.Or(o.MaxPending, 10_000)
	o.MaxPendingPerQueue = cmp.Or(o.MaxPendingPerQueue, 2_000)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Client calls methods and waits for their replies on one callback queue, however many methods there are. Its
// methods may be called concurrently.
type Client struct {
	broker  Transport
	options ClientOptions
	encoder protocol.Encoder
	pending *registry
	do      Func

	subscription  messaging.Subscription // nil before Start
	stopObserving func()
}

// NewClient returns a client, which Start makes ready.
func NewClient(broker Transport, options ClientOptions) *Client {
	options = options.withDefaults()
	c := &Client{
		broker:  broker,
		options: options,
		encoder: protocol.Encoder{AppID: options.Name, ReplyTo: options.CallbackQueue, Persistent: options.Persistent},
		pending: newRegistry(options),
	}
	c.do = chain(c.roundTrip, options.Interceptors)
	return c
}

// Start makes the callback queue and consumes it, as its only consumer: messaging.ErrQueueInUse if another process
// does. It must return before the first Do, and be called once.
func (c *Client) Start(ctx context.Context) error {
	q := messaging.Queue{Name: c.options.CallbackQueue, Durable: true, Type: c.options.CallbackQueueType}
	if c.options.Instance != "" {
		q.Expiry = c.options.InstanceExpiry
	}
	subscription, err := c.broker.Subscribe(ctx, q, c.receive,
		messaging.WithExclusive(), messaging.WithConcurrency(1), messaging.WithPrefetch(c.options.Prefetch))
	if errors.Is(err, messaging.ErrQueueInUse) {
		return fmt.Errorf("consume the callback queue %s: %w: each process needs an instance name of its own", q.Name, err)
	}
	if err != nil {
		return fmt.Errorf("consume the callback queue %s: %w", q.Name, err)
	}
	c.subscription = subscription
	stopReturns, stopLosses := c.broker.OnReturn(c.receiveReturn), c.broker.OnLoss(c.pending.lose)
	c.stopObserving = sync.OnceFunc(func() {
		stopReturns()
		stopLosses()
	})
	c.pending.open()
	return nil
}

// Close refuses new calls with ErrClosed, waits for the replies of those that run, and stops consuming. When ctx
// ends first, the calls left fail with ErrClosed and ctx's error is returned.
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
			c.pending.finishAll(outcome{err: ErrClosed})
		}
	}
	c.stopObserving()
	if err := c.subscription.Drain(ctx); err != nil {
		errs = append(errs, fmt.Errorf("drain the callback queue %s: %w", c.options.CallbackQueue, err))
	}
	return errors.Join(errs...)
}

// Pending is how many calls wait for their reply.
func (c *Client) Pending() int { return c.pending.len() }

// Do sends a request and waits for its reply, of any status: an error means that there is none. It is
//
//   - ErrTimeout past the deadline: the request's, or Timeout from now if it has none, or ctx's if that is earlier;
//   - ctx's error as soon as ctx is cancelled;
//   - ErrTooManyPending at a limit of ClientOptions;
//   - ErrMalformedReply for a reply that is not understood;
//   - messaging.ErrUnavailable if the request was not handed over, messaging.ErrUnroutable if its queue is deleted as
//     often as it is made, messaging.ErrInvalidMessage if the request can't be carried;
//   - ErrClosed.
//
// A connection to the broker that is lost ends no call: the reply waits in the callback queue. Whether the request had
// arrived is not known; one that is Idempotent is sent again once the connection stands, with the same id, and the first
// reply counts. Any request may be handled more than once; see package messaging.
func (c *Client) Do(ctx context.Context, request *Request) (*Reply, error) {
	r := *request
	if r.ID == "" {
		r.ID = uuid.NewString()
	}
	if r.Deadline.IsZero() {
		r.Deadline = time.Now().Add(c.options.Timeout)
	}
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(r.Deadline) {
		r.Deadline = deadline
	}
	ctx, cancel := context.WithDeadline(ctx, r.Deadline)
	defer cancel()
	return c.do(ctx, &r)
}

// roundTrip registers the call before it publishes: a reply may arrive before Send has returned.
func (c *Client) roundTrip(ctx context.Context, r *Request) (*Reply, error) {
	if ctx.Err() != nil {
		return nil, callError(ctx, r, ctx.Err())
	}
	call := newPendingCall(r.Queue, r.Idempotent)
	if err := c.pending.add(r.ID, call); err != nil {
		return nil, callError(ctx, r, err)
	}
	defer c.pending.remove(r.ID, call)
	if err := c.send(ctx, r); err != nil {
		return nil, callError(ctx, r, err)
	}
	for {
		o := call.await(ctx)
		switch {
		case errors.Is(o.err, errReturned):
			if err := c.send(ctx, r); err != nil {
				return nil, callError(ctx, r, err)
			}
		case errors.Is(o.err, errLost):
			if c.pending.resume(r.ID, call) {
				c.resend(ctx, r)
			}
		case o.err != nil:
			return nil, callError(ctx, r, o.err)
		default:
			reply, err := protocol.DecodeReply(o.reply)
			if err != nil {
				return nil, callError(ctx, r, err)
			}
			return reply, nil
		}
	}
}

// resend sends again what may be lost. It may as well have arrived: whatever becomes of this copy, the call goes on.
func (c *Client) resend(ctx context.Context, r *Request) {
	err := c.send(ctx, r)
	if err == nil {
		notify(c.options.Observer.ResentRequest)
	}
	c.options.Logger.DebugContext(ctx, "sent a request again that may be lost",
		"queue", r.Queue, "correlation_id", r.ID, "error", err)
}

// send makes sure that the queue exists, so that a request to a service that is down waits for it, and sends.
func (c *Client) send(ctx context.Context, r *Request) error {
	q := messaging.Queue{Name: r.Queue, Durable: true, Type: c.options.QueueType}
	if err := c.broker.Ensure(ctx, q); err != nil {
		return err
	}
	return c.broker.Send(ctx, r.Queue, c.encoder.Request(r, time.Now()))
}

// callError names the call. A deadline of ctx is a time-out, whoever set it; a cancellation stays one.
func callError(ctx context.Context, r *Request, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = ErrTimeout
	}
	return fmt.Errorf("call %s: %w", r.Queue, err)
}

// receive takes a reply. It never blocks: the callback queue is read by one goroutine.
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
		"error", err, "correlation_id", m.CorrelationID, "from", m.AppID, "user", m.UserID)
	return nil
}

func (c *Client) receiveReturn(r messaging.Return) {
	if protocol.IsRequest(r.Message) && r.Message.ReplyTo == c.options.CallbackQueue {
		c.pending.returned(r.Message.CorrelationID)
	}
}
