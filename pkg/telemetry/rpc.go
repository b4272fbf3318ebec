package telemetry

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/rpc/protocol"
)

var asClient, asServer = trace.WithSpanKind(trace.SpanKindClient), trace.WithSpanKind(trace.SpanKindServer)

// Client returns an interceptor that makes a span of each call, and passes the trace to the service. If t is nil, it does nothing.
func (t *Traces) Client() rpc.Interceptor {
	if t == nil {
		return withoutSpans
	}
	return func(next rpc.Func) rpc.Func {
		return func(ctx context.Context, request *rpc.Request) (*rpc.Reply, error) {
			if !trace.SpanContextFromContext(ctx).IsValid() {
				ctx = Extract(ctx, request.Header)
			}
			ctx, span := t.tracer.Start(ctx, "call "+request.Queue, asClient)
			defer span.End()
			if span.IsRecording() {
				describe(span, request, "send")
			}
			request.Header = inject(ctx, request.Header)
			reply, err := next(ctx, request)
			if span.IsRecording() {
				endCall(span, reply, err)
			}
			return reply, err
		}
	}
}

// Server returns an interceptor that makes a span of each request that is handled. The span belongs to the caller's trace, or
// begins one if the request names none. If t is nil, the interceptor does nothing.
func (t *Traces) Server() rpc.Interceptor {
	if t == nil {
		return withoutSpans
	}
	return func(next rpc.Func) rpc.Func {
		return func(ctx context.Context, request *rpc.Request) (*rpc.Reply, error) {
			ctx, span := t.tracer.Start(Extract(ctx, request.Header), request.Queue, asServer)
			defer span.End()
			if !span.IsRecording() {
				return next(ctx, request)
			}
			describe(span, request, "process")
			span.SetAttributes(wireAttributes(ctx)...)
			reply, err := next(ctx, request)
			status := rpc.Status(reply, err)
			setStatus(span, status, status >= http.StatusInternalServerError)
			return reply, err
		}
	}
}

func withoutSpans(next rpc.Func) rpc.Func { return next }

// describe sets what is known of a request before it is handled.
func describe(span trace.Span, request *rpc.Request, operation string) {
	span.SetAttributes(
		rpcSystem.String(rpcSystemAMQP),
		RPCMethod.String(request.Queue),
		messagingSystem.String(messagingSystemRabbitMQ),
		MessagingDestination.String(request.Queue),
		messagingOperationName.String(operation),
		messagingOperationType.String(operation),
		Text(messagingMessageID, request.ID),
		Text(ConversationID, request.CorrelationID),
		messagingBodySize.Int(len(request.Body)),
	)
}

// endCall sets the outcome of a call. A refusal is an error of the call, but not one of the server.
func endCall(span trace.Span, reply *rpc.Reply, err error) {
	if err == nil {
		setStatus(span, reply.Status, reply.Status >= http.StatusBadRequest)
		return
	}
	span.SetAttributes(ErrorType.String(rpc.ErrorType(err)))
	span.SetStatus(codes.Error, "")
}

// setStatus gives the span no description: the text of an error may have the user's data.
func setStatus(span trace.Span, status int, failed bool) {
	code := strconv.Itoa(status)
	span.SetAttributes(RPCResponseStatusCode.String(code))
	if failed {
		span.SetAttributes(ErrorType.String(code))
		span.SetStatus(codes.Error, "")
	}
}

// wireAttributes returns the properties of the message that the handler's request arrived in, and the names of its headers.
// Left out are its body, which may be private, and its correlation ID, which is a secret.
func wireAttributes(ctx context.Context) []attribute.KeyValue {
	m := rpc.MessageFrom(ctx)
	mode := 1
	if m.Persistent {
		mode = 2
	}
	names := slices.Sorted(maps.Keys(m.Headers))
	for i, name := range names {
		names[i] = validText(name)
	}
	attributes := []attribute.KeyValue{
		amqpDeliveryMode.Int(mode),
		amqpHeaders.StringSlice(names),
	}
	for _, property := range []attribute.KeyValue{
		Text(amqpAppID, m.AppID),
		Text(amqpContentType, m.ContentType),
		Text(amqpReplyTo, m.ReplyTo),
		Text(amqpType, m.Type),
		Text(amqpUserID, m.UserID),
	} {
		if property.Value.AsString() != "" {
			attributes = append(attributes, property)
		}
	}
	if m.TTL > 0 {
		attributes = append(attributes, amqpExpiration.String(strconv.FormatInt(m.TTL.Milliseconds(), 10)))
	}
	if sent := protocol.SentAt(m); !sent.IsZero() {
		wait := max(time.Since(sent), 0) // the sender's clock may be ahead
		attributes = append(attributes, QueueWait.Float64(float64(wait.Microseconds())/1000))
	}
	return attributes
}

// Text returns an attribute, with U+FFFD for bytes that are not UTF-8: they would make the whole export fail.
func Text(key attribute.Key, value string) attribute.KeyValue { return key.String(validText(value)) }

func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
