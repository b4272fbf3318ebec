package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/cenkalti/backoff/v5"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc/protocol"
)

// replyPatience bounds how long a reply to a request without a deadline is retried while the broker is away.
const replyPatience = 30 * time.Second

// method is one method of a server: a queue and the handler of its requests. A request passes through
// receive, handle, the interceptors, run, and the handler.
type method struct {
	*methods
	queue         string
	handler       Func
	translate     func(error) error // of the handler's errors; nil: none
	call          Func              // run behind the interceptors
	concurrency   int
	status        int // of replies that come with none; 0: 200
	noDeadLetters bool
	err           error // what is wrong with the registration
}

func (m *method) subscribe(ctx context.Context) (messaging.Subscription, error) {
	q := messaging.Queue{Name: m.queue, Durable: true, Type: m.options.QueueType, DeliveryLimit: m.options.DeliveryLimit}
	if !m.noDeadLetters {
		q.DeadLetter = m.queue + ".dead"
	}
	return m.broker.Subscribe(ctx, q, m.receive,
		messaging.WithConcurrency(m.concurrency), messaging.WithPrefetch(cmp.Or(m.options.Prefetch, m.concurrency)))
}

// receive handles one message. It sends the reply first, and then acknowledges the request by returning nil: a process that
// dies in between replies twice rather than never.
func (m *method) receive(ctx context.Context, message messaging.Message) error {
	request, err := protocol.DecodeRequest(m.queue, message)
	if err != nil {
		err = fmt.Errorf("decode request on %s: %w", m.queue, err)
		id := cmp.Or(message.ID, message.CorrelationID)
		return m.refuse(ctx, &message, &Request{ID: id, CorrelationID: id}, err, BadRequest("malformed request message"))
	}
	if expired(request.Deadline) {
		notify(m.options.Observer.ExpiredRequest)
		m.options.Logger.DebugContext(ctx, "dropped a request past its deadline",
			"queue", m.queue, "correlation_id", request.CorrelationID)
		return nil
	}
	if err := m.identities.verify(request.Identity); err != nil {
		notify(m.options.Observer.RefusedIdentity)
		err = fmt.Errorf("verify identity of request on %s: %w", m.queue, err)
		return m.refuse(ctx, &message, request, err, errUnverified)
	}
	reply, err := m.handle(ctx, &message, request)
	if err != nil || message.ReplyTo == "" {
		return err
	}
	return m.reply(ctx, &message, request, reply)
}

func expired(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

// refuse replies with problem to a request that the handler does not get, because of err. It rejects a message without a ReplyTo.
func (m *method) refuse(ctx context.Context, to *messaging.Message, request *Request, err error, problem *Error) error {
	if to.ReplyTo == "" {
		return messaging.Reject(err)
	}
	m.options.Logger.WarnContext(ctx, "refused a request",
		"queue", m.queue, "correlation_id", request.CorrelationID, "from", cmp.Or(to.AppID, to.ReplyTo), "error", err)
	return m.reply(ctx, to, request, problem.Reply(request.CorrelationID))
}

// handle calls the handler under the request's deadline and makes a reply of its error. It returns an error only if the
// handler failed because the drain ran out of time: another process then gets the request.
func (m *method) handle(ctx context.Context, message *messaging.Message, request *Request) (*Reply, error) {
	h := &handling{request: request}
	if m.options.KeepMessages {
		kept := *message // h.message = message would allocate every message, also those that are not kept
		h.message = &kept
	}
	handlerCtx := context.WithValue(ctx, handlingKey{}, h)
	if !request.Deadline.IsZero() {
		var cancel context.CancelFunc
		handlerCtx, cancel = context.WithDeadline(handlerCtx, request.Deadline)
		defer cancel()
		h.callsEnd = request.Deadline.Add(-time.Until(request.Deadline) / reserve)
	}
	reply, err := m.call(handlerCtx, request)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("handle %s: %w", m.queue, err)
	}
	if err != nil || reply == nil {
		failure := asError(err)
		m.logCause(cmp.Or(h.failedIn, ctx), request, failure)
		reply = failure.Reply(request.CorrelationID)
	}
	if len(h.header) > 0 {
		out := *reply // may be shared
		out.Header = h.header
		maps.Copy(out.Header, reply.Header)
		return &out, nil
	}
	return reply, nil
}

// run calls the handler. What the interceptors see of it is a reply with a valid status or an error, also for a panic.
func (m *method) run(ctx context.Context, request *Request) (reply *Reply, err error) {
	defer func() {
		if value := recover(); value != nil {
			m.options.Logger.ErrorContext(ctx, "handler panicked", "queue", m.queue, "correlation_id", request.CorrelationID,
				"panic", fmt.Sprint(value), "stack", string(debug.Stack()))
			reply, err = nil, internalError
		}
		if h, ok := ctx.Value(handlingKey{}).(*handling); ok && err != nil {
			h.failedIn = ctx
		}
	}()
	reply, err = m.handler(ctx, request)
	switch {
	case err != nil && m.translate != nil:
		return nil, m.translate(err)
	case err != nil:
		return nil, err
	case reply == nil:
		return nil, errNoReply
	case reply.Status == 0:
		out := *reply
		out.Status = cmp.Or(m.status, http.StatusOK)
		return &out, nil
	case !protocol.ValidStatus(reply.Status):
		return nil, fmt.Errorf("handler returned status %d, not in 200 to 599", reply.Status)
	default:
		return reply, nil
	}
}

// logCause logs the cause of an error, which the caller does not see.
func (m *method) logCause(ctx context.Context, request *Request, failure *Error) {
	level := slog.LevelError
	switch {
	case failure.Unwrap() == nil:
		return
	case failure.Status < http.StatusInternalServerError:
		level = slog.LevelDebug
	case failure.Status == http.StatusGatewayTimeout:
		level = slog.LevelWarn
	}
	m.options.Logger.LogAttrs(ctx, level, "request failed", slog.String("queue", m.queue),
		slog.String("correlation_id", request.CorrelationID), slog.Int("status", failure.Status), slog.Any("error", failure.Unwrap()))
}

func (m *method) log(ctx context.Context, level slog.Level, message string, request *Request, err error) {
	m.options.Logger.Log(ctx, level, message, "queue", m.queue, "correlation_id", request.CorrelationID, "error", err)
}

// reply sends the reply to a message and its request. While the broker is away it tries again until the deadline. It returns
// an error only if the drain ran out of time.
func (m *method) reply(ctx context.Context, to *messaging.Message, request *Request, reply *Reply) error {
	err := m.send(ctx, to, request, reply)
	if errors.Is(err, messaging.ErrInvalidMessage) {
		m.log(ctx, slog.LevelError, "replaced a reply that can't be sent", request, err)
		reply = internalError.Reply(request.CorrelationID)
		err = m.send(ctx, to, request, reply)
	}
	if errors.Is(err, messaging.ErrUnavailable) {
		err = m.resend(ctx, to, request, reply)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return fmt.Errorf("reply to %s: %w", m.queue, err)
	case expired(request.Deadline):
		m.log(ctx, slog.LevelDebug, "dropped a reply past the deadline", request, err)
	default:
		m.log(ctx, slog.LevelError, "dropped a reply that can't be sent", request, err)
	}
	return nil
}

func (m *method) send(ctx context.Context, to *messaging.Message, request *Request, reply *Reply) error {
	if expired(request.Deadline) {
		return context.DeadlineExceeded
	}
	return m.broker.Send(ctx, to.ReplyTo, m.encoder.Reply(reply, request, to.CorrelationID))
}

// resend sends until the request's deadline, or for replyPatience if it has none.
func (m *method) resend(ctx context.Context, to *messaging.Message, request *Request, reply *Reply) error {
	deadline := request.Deadline
	if deadline.IsZero() {
		deadline = time.Now().Add(replyPatience)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := m.send(ctx, to, request, reply)
		if err != nil && !errors.Is(err, messaging.ErrUnavailable) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(replyBackOff()), backoff.WithMaxElapsedTime(0))
	return err
}

func replyBackOff() backoff.BackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     20 * time.Millisecond,
		RandomizationFactor: 0.5,
		Multiplier:          2,
		MaxInterval:         time.Second,
	}
}
