package rpc

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/warren/pkg/awaittest"
)

// page is embedded in the input.
type page struct {
	Limit  int    `json:"-" query:"limit" validate:"omitempty,min=1,max=100"`
	Cursor string `json:"cursor" validate:"max=5"`
}

type line struct {
	SKU      string `json:"sku" validate:"required"`
	Quantity int    `json:"quantity" validate:"min=1"`
}

type input struct {
	page

	Shop   string    `json:"-" param:"shop" validate:"required"`
	Number int64     `json:"-" param:"number"`
	Dry    *bool     `json:"-" query:"dry"`
	Tags   []string  `json:"-" query:"tag" validate:"max=2"`
	Sizes  []uint8   `json:"-" query:"size"`
	Since  time.Time `json:"-" query:"since"`
	Weight float64   `json:"-" header:"x-weight"`
	Key    string    `json:"-" header:"Idempotency-Key"`
	Name   string    `json:"name" validate:"omitempty,min=2"`
	Lines  []line    `json:"lines" validate:"max=3,dive"`
	Note   *string   `json:"note"`
}

func TestCallEncodesWhatHandleDecodes(t *testing.T) {
	b := newBroker(t)
	s := newTestServer(b, ServerOptions{})
	yes, note := true, "n"
	want := input{
		page: page{Limit: 10, Cursor: "c"}, Shop: "7", Number: -12, Dry: &yes, Tags: []string{"a", "b"}, Sizes: []uint8{1, 255},
		Since: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Weight: 1.5, Key: "k", Name: "body",
		Lines: []line{{SKU: "A", Quantity: 2}}, Note: &note,
	}
	Handle(s, "orders.create", func(ctx context.Context, in input) (line, error) {
		if diff := cmp.Diff(want, in, cmp.AllowUnexported(input{}, page{})); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got := IdentityFrom(ctx); got != nil {
			t.Errorf("identity %+v, want none", got)
		}
		return line{SKU: "B", Quantity: 3}, nil
	}, WithStatus(http.StatusCreated))
	start(t, s)
	c := startClient(t, b, ClientOptions{})
	out, err := Call[input, line](t.Context(), c, "orders.create", want)
	noError(t, err)
	if out != (line{SKU: "B", Quantity: 3}) {
		t.Errorf("got %+v", out)
	}
}

func TestHandleReplies(t *testing.T) {
	b := newBroker(t)
	s := newTestServer(b, ServerOptions{})
	Handle(s, "created", func(context.Context, Empty) (line, error) {
		return line{SKU: "<&>"}, nil
	}, WithStatus(http.StatusCreated))
	Handle(s, "empty", func(context.Context, Empty) (Empty, error) { return Empty{}, nil })
	Handle(s, "accepted", func(context.Context, Empty) (Empty, error) { return Empty{}, nil }, WithStatus(http.StatusAccepted))
	Handle(s, "list", func(context.Context, Empty) ([]int, error) { return []int{1, 2}, nil })
	Handle(s, "impossible", func(context.Context, Empty) (any, error) { return func() {}, nil })
	start(t, s)
	c := startClient(t, b, ClientOptions{})
	tests := []struct {
		queue       string
		status      int
		contentType string
		body        string
	}{
		{"created", 201, "application/json", `{"sku":"\u003c\u0026\u003e","quantity":0}`},
		{"empty", 204, "", ""},
		{"accepted", 202, "", ""},
		{"list", 200, "application/json", "[1,2]"},
	}
	for _, test := range tests {
		t.Run(test.queue, func(t *testing.T) {
			// Empty accepts any body.
			got, err := c.Do(t.Context(), &Request{Queue: test.queue, ContentType: "text/plain", Body: []byte("{")})
			noError(t, err)
			if got.Status != test.status || got.ContentType != test.contentType || string(got.Body) != test.body {
				t.Errorf("got %d %q %s", got.Status, got.ContentType, got.Body)
			}
		})
	}
	got, err := c.Do(t.Context(), &Request{Queue: "impossible"})
	noError(t, err)
	if got.Status != 500 {
		t.Errorf("got %d for an output that can't be marshalled", got.Status)
	}
}

func TestCallErrors(t *testing.T) {
	b := newBroker(t)
	reply := func(r Reply) Func { return func(context.Context, *Request) (*Reply, error) { return &r, nil } }
	problem := Conflict("it is so").WithFields(FieldError{Field: "a", Message: "is odd"}).WithHeader("Retry-After", "3")
	s := newTestServer(b, ServerOptions{})
	s.Handle("problem", failing(problem))
	s.Handle("reason", failing(problem.WithReason("too-late")))
	s.Handle("foreign", reply(Reply{
		Status: 409, ContentType: "application/problem+json", Body: []byte(`{"type":"https://example.com/sold-out","detail":"sold out"}`),
	}))
	s.Handle("unnamed", failing(NewError(418, "short and stout")))
	s.Handle("title", reply(Reply{Status: 404, ContentType: "application/problem+json", Body: []byte(`{"title":"gone"}`)}))
	s.Handle("text", reply(Reply{Status: 404, ContentType: "text/html", Body: []byte("<h1>")}))
	s.Handle("broken", reply(Reply{Status: 502, ContentType: "application/problem+json", Body: []byte(`{`)}))
	start(t, s)
	c := startClient(t, b, ClientOptions{})
	tests := map[string]*Error{
		"problem": problem,
		"reason":  problem.WithReason("too-late"),
		"title":   {Status: 404, Reason: "not-found", Detail: "gone"},
		"text":    {Status: 404, Reason: "not-found", Detail: "Not Found"},
		"broken":  {Status: 502, Reason: "bad-gateway", Detail: "Bad Gateway"},
		"foreign": {Status: 409, Reason: "conflict", Detail: "sold out"},
		"unnamed": {Status: 418, Detail: "short and stout"},
	}
	for queue, want := range tests {
		t.Run(queue, func(t *testing.T) {
			_, err := Call[Empty, line](t.Context(), c, queue, Empty{})
			got, _ := errors.AsType[*Error](err)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Error{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !got.Received() || !strings.Contains(err.Error(), "call "+queue+": ") {
				t.Errorf("got %v, want a received error that names the call", err)
			}
		})
	}
}

func TestCallOutputs(t *testing.T) {
	b := newBroker(t)
	reply := func(r Reply) Func { return func(context.Context, *Request) (*Reply, error) { return &r, nil } }
	s := newTestServer(b, ServerOptions{})
	s.Handle("none", reply(Reply{Status: 204}))
	s.Handle("json", reply(Reply{ContentType: "application/hal+json", Body: []byte(`{"sku":"A"}`)}))
	s.Handle("text", reply(Reply{ContentType: "text/plain", Body: []byte(`{}`)}))
	s.Handle("twice", reply(Reply{Body: []byte(`{"sku":"A","sku":"B"}`)}))
	s.Handle("latin", reply(Reply{Body: []byte("{\"sku\":\"\xe9\"}")}))
	s.Handle("charset", reply(Reply{ContentType: "application/json; charset=iso-8859-1", Body: []byte(`{}`)}))
	s.Handle("odd", reply(Reply{ContentType: "application/json", Body: []byte(`{"sku":1}`)}))
	start(t, s)
	c := startClient(t, b, ClientOptions{})
	for queue, want := range map[string]line{"none": {}, "json": {SKU: "A"}} {
		got, err := Call[Empty, line](t.Context(), c, queue, Empty{})
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", queue, got, err)
		}
	}
	for _, queue := range []string{"text", "odd", "twice", "latin", "charset"} {
		_, err := Call[Empty, line](t.Context(), c, queue, Empty{})
		wantError(t, err, ErrMalformedReply)
	}
	for _, queue := range []string{"none", "json", "text", "odd"} {
		_, err := Call[Empty, Empty](t.Context(), c, queue, Empty{})
		noError(t, err)
	}
	if _, err := Call[int, line](t.Context(), c, "json", 1); err == nil {
		t.Error("called with an input that is not a struct")
	}
}

// A handler's call of another service has the identity, the correlation ID and the trace of the handler's request. A call of
// the raw form has no identity unless it is given one.
func TestCallsInherit(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	b := newBroker(t)
	c := startClient(t, b, ClientOptions{})
	s := newTestServer(b, ServerOptions{})
	calls := make(chan *Request, 10)
	note := func(_ context.Context, r *Request) (*Reply, error) {
		calls <- r
		return &Reply{}, nil
	}
	own := &Request{Queue: "noted", CorrelationID: "own", Header: http.Header{"Traceparent": {"own"}, "Accept": {"a"}}}
	other := &Request{Queue: "noted", Header: http.Header{"Accept": {"a"}}}
	s.Handle("noted", note)
	Handle(s, "inner", func(ctx context.Context, in Empty) (Empty, error) { return Call[Empty, Empty](ctx, c, "noted", in) })
	Handle(s, "outer", func(ctx context.Context, in Empty) (Empty, error) {
		_, err := Call[Empty, Empty](ctx, c, "inner", in)
		noError(t, err)
		for _, r := range []*Request{own, other} {
			_, err := c.Do(ctx, r)
			noError(t, err)
		}
		return in, nil
	})
	start(t, s)
	identity := &Identity{Subject: "u-1"}
	from := http.Header{"Traceparent": {trace}, "Tracestate": {"a=1", "b=2"}, "X-Other": {"x"}}
	_, err := c.Do(WithCorrelationID(t.Context(), "gateway"), &Request{Queue: "outer", ID: "1", Identity: identity, Header: from})
	noError(t, err)
	inherited := http.Header{"Traceparent": {trace}, "Tracestate": {"a=1,b=2"}}
	beside := http.Header{"Traceparent": {trace}, "Tracestate": {"a=1,b=2"}, "Accept": {"a"}}
	for _, want := range []*Request{
		{Queue: "noted", CorrelationID: "gateway", Identity: identity, Header: inherited},
		{Queue: "noted", CorrelationID: "own", Header: own.Header},
		{Queue: "noted", CorrelationID: "gateway", Header: beside},
	} {
		got := awaittest.Receive(t, calls, "the call")
		if got.ID == "" || got.ID == "1" || got.ID == "gateway" {
			t.Errorf("ID %q, want one for each call", got.ID)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Request{}, "ID", "Deadline")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	if len(other.Header) != 1 {
		t.Errorf("the caller's header was changed: %v", other.Header)
	}
}
