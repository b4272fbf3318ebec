package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"example.com/warren/pkg/rpc/internal/binding"
	"example.com/warren/pkg/rpc/protocol"
)

// CallOption changes a call.
type CallOption func(*Request)

// WithIdempotent marks the call as safe to repeat, so that the client sends its request again when the connection is lost;
// see [Request].
func WithIdempotent() CallOption { return func(r *Request) { r.Idempotent = true } }

// Call calls a method of another service. It encodes in by the tags that [Handle] decodes by. A reply of status 400 and
// above is returned as a *[Error]; the other errors are those of Client.Do.
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
		return out, err
	}
	if _, empty := any(out).(Empty); empty || reply.Status == http.StatusNoContent {
		return out, nil
	}
	if !protocol.IsJSON(reply.ContentType) {
		return out, fmt.Errorf("call %s: %w: content type %q is not JSON", queue, ErrMalformedReply, reply.ContentType)
	}
	if err := json.Unmarshal(reply.Body, &out); err != nil {
		return out, fmt.Errorf("call %s: %w: %w", queue, ErrMalformedReply, err)
	}
	return out, nil
}
