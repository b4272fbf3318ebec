// Package rpc is request and reply over queues.
//
// A method is a queue: a Server answers what arrives on "orders.get", a Client sends a Request to that queue and waits
// for the Reply with the same correlation id on its callback queue. Requests and replies speak HTTP's vocabulary
// (method, header, status), so a gateway maps one to the other without knowing the methods.
//
// The bytes are written down in PROTOCOL.md; a service in another language can join from that page alone.
package rpc

import (
	"context"
	"slices"
)

// Func handles a request, or carries it to the one who does: a server's handlers and a client's Do have this form.
// A nil error comes with a reply; a *Error becomes the reply that it describes, any other error status 500.
type Func func(ctx context.Context, request *Request) (*Reply, error)

// Interceptor wraps a Func with what concerns every call: logging, metrics, tracing, recovery. One type serves
// servers and clients.
//
// An interceptor may change the request's own fields; maps it must copy first, since the caller may use them too.
type Interceptor func(next Func) Func

// chain wraps f so that the first interceptor is the outermost.
func chain(f Func, interceptors []Interceptor) Func {
	for _, intercept := range slices.Backward(interceptors) {
		f = intercept(f)
	}
	return f
}
