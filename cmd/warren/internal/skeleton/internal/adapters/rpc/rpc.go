// Package rpc serves the use cases as methods of pkg/rpc. A new method takes a use case in package app, a handler here with
// its line in [Register], and a route in the gateway's routes.go.
package rpc

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
	"example.com/warren/pkg/rpc"
)

// Register registers the service's methods with server.
func Register(server *rpc.Server, useCases *app.Widgets) {
	methods := server.With(rpc.WithErrors(problem))
	h := handlers{useCases}
	rpc.Handle(methods, "skeleton.getAll", asCaller(h.getAll))
	rpc.Handle(methods, "skeleton.get", asCaller(h.get))
	rpc.Handle(methods, "skeleton.create", asCaller(h.create), rpc.WithStatus(http.StatusCreated))
}

// asCaller passes the authenticated caller to handler. It rejects requests without one.
func asCaller[In, Out any](
	handler func(ctx context.Context, caller app.Caller, in In) (Out, error),
) func(ctx context.Context, in In) (Out, error) {
	return func(ctx context.Context, in In) (out Out, err error) {
		identity := rpc.IdentityFrom(ctx)
		if identity == nil {
			return out, rpc.Unauthorized("log in first").WithHeader("WWW-Authenticate", "Bearer")
		}
		return handler(ctx, app.Caller{ID: identity.Subject}, in)
	}
}

// problem translates the errors that the caller may see. Any other error becomes status 500.
func problem(err error) error {
	switch {
	case errors.Is(err, domain.ErrNotFound):
		return rpc.NotFound("%s", domain.ErrNotFound)
	case errors.Is(err, domain.ErrNameLength):
		return rpc.Unprocessable("invalid input").WithFields(rpc.FieldError{Field: "name", Message: domain.ErrNameLength.Error()})
	default:
		return err
	}
}

// widgetOutput is the wire format of domain.Widget.
type widgetOutput struct {
	ID        string    `json:"id"`
	OwnerID   string    `json:"owner_id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

type handlers struct{ useCases *app.Widgets }

type getAllInput struct {
	Cursor string `json:"-" query:"cursor" validate:"max=100"`
	Limit  int    `json:"-" query:"limit" validate:"omitempty,min=1,max=100"`
}

type getAllOutput struct {
	Widgets    []widgetOutput `json:"widgets"`
	NextCursor string         `json:"next_cursor,omitempty"` // absent on the last page
}

func (h handlers) getAll(ctx context.Context, caller app.Caller, in getAllInput) (getAllOutput, error) {
	page, next, err := h.useCases.List(ctx, caller, in.Cursor, cmp.Or(in.Limit, 20))
	out := getAllOutput{Widgets: make([]widgetOutput, len(page)), NextCursor: next}
	for i, each := range page {
		out.Widgets[i] = widgetOutput(each)
	}
	return out, err
}

type getInput struct {
	ID string `json:"-" param:"id" validate:"required"`
}

func (h handlers) get(ctx context.Context, caller app.Caller, in getInput) (widgetOutput, error) {
	found, err := h.useCases.Get(ctx, caller, in.ID)
	return widgetOutput(found), err
}

type createInput struct {
	Key  string `json:"-" header:"Idempotency-Key" validate:"omitempty,max=255,printascii"`
	Name string `json:"name"`
}

// create uses the request's ID if there is no key, so that a request that the broker delivers twice creates once.
func (h handlers) create(ctx context.Context, caller app.Caller, in createInput) (widgetOutput, error) {
	key := cmp.Or(in.Key, rpc.RequestFrom(ctx).ID)
	if key == "" {
		return widgetOutput{}, rpc.BadRequest("a request without an ID needs an Idempotency-Key")
	}
	created, err := h.useCases.Create(ctx, caller, key, in.Name)
	if err != nil {
		return widgetOutput{}, err
	}
	rpc.ReplyHeader(ctx).Set("Location", "/v1/widgets/"+created.ID)
	return widgetOutput(created), nil
}
