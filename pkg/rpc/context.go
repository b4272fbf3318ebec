package rpc

import (
	"context"
	"maps"
	"net/http"
	"time"

	"example.com/warren/pkg/messaging"
)

// handling is what a handler's context carries.
type handling struct {
	request  *Request
	message  *messaging.Message // nil: not kept
	header   http.Header
	callsEnd time.Time       // the deadline of the handler's own calls; see reserve
	failedIn context.Context // of a handler that returned an error: it has what the interceptors added, e.g. a span
}

// A handler's calls must end when 1/reserve of the handler's time is left, so that it can still reply when they time out.
const reserve = 10

type handlingKey struct{}

// RequestFrom returns the request that a handler's context belongs to. Outside a handler it returns nil.
func RequestFrom(ctx context.Context) *Request {
	if h, ok := ctx.Value(handlingKey{}).(*handling); ok {
		return h.request
	}
	return nil
}

// MessageFrom returns the message of the request that a handler's context belongs to, without its correlation ID, which is a
// secret. Without ServerOptions.KeepMessages, and outside a handler, the message is empty.
func MessageFrom(ctx context.Context) messaging.Message {
	h, ok := ctx.Value(handlingKey{}).(*handling)
	if !ok || h.message == nil {
		return messaging.Message{}
	}
	m := *h.message
	m.CorrelationID = ""
	return m
}

type correlationIDKey struct{}

// WithCorrelationID returns a context whose calls have the correlation ID, for requests that did not arrive over rpc. The
// context of a handler has its request's.
func WithCorrelationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationIDKey{}, id)
}

// CorrelationIDFrom returns the correlation ID that calls with the context have, or "" if it has none.
func CorrelationIDFrom(ctx context.Context) string {
	if id, ok := ctx.Value(correlationIDKey{}).(string); ok {
		return id
	}
	if request := RequestFrom(ctx); request != nil {
		return request.CorrelationID
	}
	return ""
}

// callDeadline returns when a call with ctx must end. With a handler's context that is callsEnd at the latest, unless ctx has a
// later deadline than the request: such a call may outlive it.
func callDeadline(ctx context.Context) (time.Time, bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return deadline, false
	}
	h, nested := ctx.Value(handlingKey{}).(*handling)
	if nested && h.callsEnd.Before(deadline) && !deadline.After(h.request.Deadline) {
		return h.callsEnd, true
	}
	return deadline, true
}

// traceHeaders name a trace and the place of a call in it (https://www.w3.org/TR/trace-context/).
var traceHeaders = [...]string{"Traceparent", "Tracestate"}

// inheritTrace gives a call the trace of the handler that makes it, unless the call has its own.
func inheritTrace(ctx context.Context, r *Request) {
	caller := RequestFrom(ctx)
	if caller == nil || caller.Header[traceHeaders[0]] == nil || r.Header[traceHeaders[0]] != nil {
		return
	}
	r.Header = maps.Clone(r.Header) // the caller may use the original too
	if r.Header == nil {
		r.Header = http.Header{}
	}
	for _, name := range traceHeaders {
		if values, ok := caller.Header[name]; ok {
			r.Header[name] = values
		}
	}
}

// IdentityFrom returns the identity of the caller of the handler that ctx belongs to, or nil if the caller is unknown.
func IdentityFrom(ctx context.Context) *Identity {
	if request := RequestFrom(ctx); request != nil {
		return request.Identity
	}
	return nil
}

// ReplyHeader returns headers for the handler to set, which its reply will carry besides its own. Like any http.Header it
// is not safe for concurrent use. Outside a handler they have no effect.
func ReplyHeader(ctx context.Context) http.Header {
	h, ok := ctx.Value(handlingKey{}).(*handling)
	if !ok {
		return http.Header{}
	}
	if h.header == nil {
		h.header = http.Header{}
	}
	return h.header
}
