// Package rpc makes remote procedure calls over queues.
//
// A method is named service.method, "orders.get", and so is the queue where its requests wait. Requests and replies have
// HTTP's vocabulary (method, path, headers, status), so that a gateway maps one to the other without knowing the methods.
//
// # Servers
//
// [NewServer] returns a [Server]. [Handle] registers a method by a function with typed input and output, and
// [Server.Handle] by a function of [Request] and [Reply]. [Server.With] gives several methods the same options, such as
// [WithErrors]. A handler's context ends at the caller's deadline, and [RequestFrom], [IdentityFrom] and [ReplyHeader] take
// it.
//
// # Clients
//
// [NewClient] returns a [Client], which has one callback queue for the replies of all its calls. [Call] calls a method with
// typed input and output, and [Client.Do] sends a [Request] and returns its [Reply]. A handler that calls another service
// passes its own context, and with it the deadline, the correlation ID and the identity of its caller.
//
// # Errors
//
// An [Error] has a status, a reason and a text, which reach the caller; [NotFound], [Conflict] and the like make one. Any
// other error of a handler becomes status 500, and its text is only logged; so does an Error that another service returned,
// unless the handler returns its Error.PassOn. Calls that fail because a service is away or slow become status 503 or 504. On
// the wire an error is problem+json (RFC 9457).
//
// # Interceptors
//
// An [Interceptor] wraps all calls of a client or a server: logging, metrics, tracing. [Logging] is one. An [Observer]
// is notified of events that belong to no call.
//
// # Messages
//
// Package [protocol] has the messages, and PROTOCOL.md their bytes for services in other languages.
package rpc

import (
	"context"
	"slices"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc/protocol"
)

// Aliases of package protocol, so that services import this package alone.
type (
	// Request is one call of a method.
	Request = protocol.Request
	// Reply is the response to a Request.
	Reply = protocol.Reply
	// Identity is a caller whose token was checked.
	Identity = protocol.Identity
	// Error is an error that the caller sees: a status, a reason for programs and a text for people.
	Error = protocol.Error
	// FieldError says what is wrong with one field of the input.
	FieldError = protocol.FieldError
)

// MaxTokenBytes bounds the tokens behind identities. Longer ones are rejected before anything is parsed.
const MaxTokenBytes = 8 << 10

// Transport is what clients and servers need of a [messaging.Broker].
type Transport interface {
	messaging.Sender
	messaging.Subscriber
}

// Func handles a request, or sends it and waits for the reply: handlers and Client.Do have this form. It returns either a
// reply or an error.
type Func func(ctx context.Context, request *Request) (*Reply, error)

// Interceptor wraps a Func with what concerns every call. Servers and clients share this type.
//
// An interceptor may change the request's own fields. It must copy the request's maps before it changes them, since the
// caller may use them too.
type Interceptor func(next Func) Func

// chain wraps f so that the first interceptor is the outermost.
func chain(f Func, interceptors []Interceptor) Func {
	for _, intercept := range slices.Backward(interceptors) {
		f = intercept(f)
	}
	return f
}

// Observer is notified of events that no caller sees, for metrics. A nil field ignores its event. The functions must
// not block: they run on the goroutines that carry messages.
type Observer struct {
	// On a client.
	OrphanReply   func()                    // a reply arrived that no call waits for
	ForgedReply   func()                    // a reply was dropped because another user sent it, see ClientOptions.VerifyReplies
	ResentRequest func(ctx context.Context) // a request of a call with ctx was sent again because its connection was lost

	// On a server.
	ExpiredRequest  func() // a request arrived past its deadline and was dropped
	UnroutableReply func() // a reply was returned because its callback queue is gone
	RefusedIdentity func() // a request was refused because its identity is expired or not signed
}

// notify calls f unless it is nil.
func notify(f func()) {
	if f != nil {
		f()
	}
}
