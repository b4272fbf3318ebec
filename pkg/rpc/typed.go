package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"example.com/warren/pkg/rpc/internal/binding"
	"example.com/warren/pkg/rpc/protocol"
)

// Empty is no input, or a reply of status 204 without a body.
type Empty struct{}

// Handle registers f as the handler of a method.
//
// In is a struct, or Empty. Its fields come from the JSON body, unless a tag names another source: `param:"id"` is a
// parameter of the route, `query:"limit"` one of the query, `header:"Idempotency-Key"` a header. Such a field comes from
// that source only, and has the tag `json:"-"` too. It is a string, a number, a bool, a time (RFC 3339) or a pointer to one
// of these; a query or header may be a slice of them. Handle then checks the `validate` tags
// (https://pkg.go.dev/github.com/go-playground/validator/v10). Input that can't be read gets status 400 or 415, and input
// with wrong fields 422, with all of them named.
//
// Names in the body are case-sensitive, and no object may have one twice. A list is read no further than the max of its
// validate tag allows, and one without a max has at most 1,000 items.
//
// Out is marshalled to JSON.
func Handle[In, Out any](s *Server, queue string, f func(ctx context.Context, in In) (Out, error), options ...HandleOption) {
	b, err := binding.Of(reflect.TypeFor[In]())
	typed := func(m *method) {
		m.err = err
		if reflect.TypeFor[Out]() == reflect.TypeFor[Empty]() && m.status == 0 { // not set by Server.With
			m.status = http.StatusNoContent
		}
	}
	s.Handle(queue, func(ctx context.Context, request *Request) (*Reply, error) {
		var in In
		if err := b.Decode(request, &in); err != nil {
			return nil, err
		}
		out, err := f(ctx, in)
		if err != nil {
			return nil, err
		}
		return encodeOutput(out)
	}, append([]HandleOption{typed}, options...)...)
}

// encodeOutput leaves the status to the method.
func encodeOutput(out any) (*Reply, error) {
	if out == (Empty{}) {
		return &Reply{}, nil
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("marshal the output: %w", err)
	}
	return &Reply{ContentType: "application/json", Body: body}, nil
}

// CallOption changes a call.
type CallOption func(*Request)

// WithIdempotent marks the call as safe to repeat, so that the client sends its request again when the connection is lost;
// see [Request].
func WithIdempotent() CallOption { return func(r *Request) { r.Idempotent = true } }

// WithTimeout bounds the call, so that a handler has time left to reply without the other service.
func WithTimeout(d time.Duration) CallOption {
	return func(r *Request) { r.Deadline = time.Now().Add(d) }
}

// Call calls a method of another service. It encodes in by the tags that [Handle] decodes by. For a reply of status 400 and
// above the error wraps an *[Error]; the other errors are those of Client.Do. A handler may return any of them as it is: its
// caller gets status 503 if the other service can't be reached, 504 if it takes too long, and otherwise 500. What the other
// service refuses is the handler's fault, unless the handler returns Error.PassOn.
//
// A handler passes its own context, so that the call has the Identity of the handler's caller.
func Call[In, Out any](ctx context.Context, c *Client, queue string, in In, options ...CallOption) (Out, error) {
	var out Out
	b, err := binding.Of(reflect.TypeFor[In]())
	if err != nil {
		return out, fmt.Errorf("call %s: %w", queue, err)
	}
	request, err := b.Encode(in)
	if err != nil {
		return out, fmt.Errorf("call %s: %w", queue, err)
	}
	request.Queue, request.Identity = queue, IdentityFrom(ctx)
	for _, option := range options {
		option(request)
	}
	reply, err := c.Do(ctx, request)
	if err != nil {
		return out, err
	}
	if err := reply.Err(); err != nil {
		return out, fmt.Errorf("call %s: %w", queue, err)
	}
	if _, empty := any(out).(Empty); empty || reply.Status == http.StatusNoContent {
		return out, nil
	}
	if !protocol.IsJSON(reply.ContentType) {
		return out, fmt.Errorf("call %s: %w: content type %q is not JSON", queue, ErrMalformedReply, reply.ContentType)
	}
	if !jsontext.Value(reply.Body).IsValid() { // encoding/json accepts names that are there twice, and invalid UTF-8
		return out, fmt.Errorf("call %s: %w: the body is not valid JSON", queue, ErrMalformedReply)
	}
	if err := json.Unmarshal(reply.Body, &out); err != nil {
		return out, fmt.Errorf("call %s: %w: %w", queue, ErrMalformedReply, err)
	}
	return out, nil
}
