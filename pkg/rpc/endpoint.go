package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"example.com/warren/pkg/messaging"
)

// replyPatience is how long a reply to a request without a deadline waits for a broker that is away.
const replyPatience = 30 * time.Second

// endpoint is one method of a server.
type endpoint struct {
	server      *Server
	queue       string
	concurrency int
	status      int // of replies that come with none; 0: 200
	f           Func

	noDeadLetters bool
}

// receive handles one message. The reply is sent first and then, by returning nil, the request is acknowledged: a
// process that dies in between answers twice rather than never.
func (e *endpoint) receive(ctx context.Context, m messaging.Message) error {
	request, err := decodeRequest(e.queue, m)
	if err != nil {
		return e.refuse(ctx, m, err)
	}
	if expired(request.Deadline) {
		notify(e.server.options.Observer.ExpiredRequest)
		e.server.options.Logger.DebugContext(ctx, "dropped a request past its deadline",
			"queue", e.queue, "correlation_id", request.ID)
		return nil
	}
	reply, err := e.handle(ctx, request)
	if err != nil {
		return err
	}
	if m.ReplyTo == "" {
		return nil
	}
	return e.reply(ctx, m.ReplyTo, request, reply)
}

func expired(deadline time.Time) bool {
	return !deadline.IsZero() && !time.Now().Before(deadline)
}

// refuse answers what can't be decoded, or gives it up if there is nobody to answer.
func (e *endpoint) refuse(ctx context.Context, m messaging.Message, err error) error {
	err = fmt.Errorf("decode request on %s: %w", e.queue, err)
	if m.ReplyTo == "" {
		return messaging.Reject(err)
	}
	request := &Request{Queue: e.queue, ID: m.CorrelationID}
	e.logger(request, err).WarnContext(ctx, "refused a malformed request", "from", m.AppID)
	return e.reply(ctx, m.ReplyTo, request, BadRequest("malformed request message").Reply(m.CorrelationID))
}

// handle runs the handler until the request's deadline. Its error is that of a handler that failed because a drain
// ran out of time: the request is for another process.
func (e *endpoint) handle(ctx context.Context, request *Request) (*Reply, error) {
	h := &handling{request: request}
	handlerCtx := withHandling(ctx, h)
	if !request.Deadline.IsZero() {
		var cancel context.CancelFunc
		handlerCtx, cancel = context.WithDeadline(handlerCtx, request.Deadline)
		defer cancel()
	}
	reply, err := e.f(handlerCtx, request)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("handle %s: %w", e.queue, err)
	}
	if err != nil || reply == nil {
		failure := asError(err)
		e.logCause(ctx, request, failure)
		reply = failure.Reply(request.ID)
	}
	return withHeader(reply, h.header), nil
}

// logCause logs what the caller does not see.
func (e *endpoint) logCause(ctx context.Context, request *Request, failure *Error) {
	if failure.cause == nil {
		return
	}
	level := slog.LevelError
	switch {
	case failure.Status < http.StatusInternalServerError:
		level = slog.LevelDebug
	case failure.Status == http.StatusGatewayTimeout:
		level = slog.LevelWarn
	}
	e.server.options.Logger.LogAttrs(ctx, level, "request failed", slog.String("queue", e.queue),
		slog.String("correlation_id", request.ID), slog.Int("status", failure.Status), slog.Any("error", failure.cause))
}

// withHeader returns reply with more headers; its own win. The reply itself may be shared and stays as it is.
func withHeader(reply *Reply, header http.Header) *Reply {
	if len(header) == 0 {
		return reply
	}
	merged := header.Clone()
	maps.Copy(merged, reply.Header)
	out := *reply
	out.Header = merged
	return &out
}

// finish sees to it that what the interceptors see of f is a reply with a valid status, or an error.
func (e *endpoint) finish(f Func) Func {
	return func(ctx context.Context, request *Request) (*Reply, error) {
		reply, err := f(ctx, request)
		switch {
		case err != nil:
			return nil, err
		case reply == nil:
			return nil, errNoReply
		case reply.Status == 0:
			out := *reply
			out.Status = http.StatusOK
			if e.status != 0 {
				out.Status = e.status
			}
			return &out, nil
		case !validStatus(reply.Status):
			return nil, fmt.Errorf("handler returned status %d, not in 200 to 599", reply.Status)
		default:
			return reply, nil
		}
	}
}

// reply sends the reply. A broker that is away is tried again while somebody waits. The only error is that of a
// drain that ran out of time.
func (e *endpoint) reply(ctx context.Context, to string, request *Request, reply *Reply) error {
	err := e.send(ctx, to, request, reply)
	if errors.Is(err, messaging.ErrInvalidMessage) {
		e.logger(request, err).ErrorContext(ctx, "replaced a reply that can't be sent")
		reply = internalError.Reply(request.ID)
		err = e.send(ctx, to, request, reply)
	}
	if errors.Is(err, messaging.ErrUnavailable) {
		err = e.resend(ctx, to, request, reply)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("reply to %s: %w", e.queue, err)
	case expired(request.Deadline):
		e.logger(request, err).DebugContext(ctx, "dropped a reply past the deadline")
		return nil
	default:
		e.logger(request, err).ErrorContext(ctx, "dropped a reply that can't be sent")
		return nil
	}
}

func (e *endpoint) logger(request *Request, err error) *slog.Logger {
	return e.server.options.Logger.With("queue", e.queue, "correlation_id", request.ID, "error", err)
}

func (e *endpoint) send(ctx context.Context, to string, request *Request, reply *Reply) error {
	if expired(request.Deadline) {
		return context.DeadlineExceeded
	}
	options := e.server.options
	m := encodeReply(reply, request.ID, options.Name, options.Persistent, request.Deadline, time.Now())
	return e.server.broker.Send(ctx, to, m)
}

// resend tries until the request's deadline, or for replyPatience if it has none.
func (e *endpoint) resend(ctx context.Context, to string, request *Request, reply *Reply) error {
	deadline := request.Deadline
	if deadline.IsZero() {
		deadline = time.Now().Add(replyPatience)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := e.send(ctx, to, request, reply)
		if err != nil && !errors.Is(err, messaging.ErrUnavailable) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(newReplyBackOff()), backoff.WithMaxElapsedTime(0))
	return err
}

func newReplyBackOff() backoff.BackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     20 * time.Millisecond,
		RandomizationFactor: 0.5,
		Multiplier:          2,
		MaxInterval:         time.Second,
	}
}
