package rpc

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Request is one call.
type Request struct {
	Queue string // the method, e.g. "orders.get"
	ID    string // the correlation id, a UUID; made by the client if empty

	// Method, Path, Route, Params, Query and Header are those of the HTTP request behind the call; calls from service
	// to service may leave them empty.
	Method string // "GET"
	Path   string // "/v1/orders/42"
	Route  string // "/v1/orders/:id"
	Params map[string]string
	Query  url.Values
	Header http.Header

	// Identity is who calls, as the gateway had it checked. nil: nobody, the route is public. Nothing that a client
	// of the gateway sends reaches this field.
	Identity *Identity

	ContentType string
	Body        []byte

	// Deadline is when the caller stops waiting. A request past it is not handled.
	Deadline time.Time

	// Idempotent: to handle the request twice does no more than to handle it once (RFC 9110, section 9.2.2). If the
	// connection that carried it is lost, the client sends it again. It is the caller's own and not sent along.
	Idempotent bool
}

// Reply answers a Request.
type Reply struct {
	Status      int // HTTP's
	Header      http.Header
	ContentType string
	Body        []byte
}

// handling is what a handler's context carries.
type handling struct {
	request *Request
	header  http.Header
}

type handlingKey struct{}

func withHandling(ctx context.Context, h *handling) context.Context {
	return context.WithValue(ctx, handlingKey{}, h)
}

// RequestFrom returns the request that a handler's context belongs to, or nil.
func RequestFrom(ctx context.Context) *Request {
	if h, ok := ctx.Value(handlingKey{}).(*handling); ok {
		return h.request
	}
	return nil
}

// ReplyHeader returns the headers that a handler's reply will carry besides its own, for the handler to set. Like
// any http.Header it is not safe for concurrent use. Outside a handler they go nowhere.
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
