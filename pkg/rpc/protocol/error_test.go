package protocol

import (
	"errors"
	"net/http"
	"testing"
)

// TestErrorText: a caller's log has all that a callee said is wrong.
func TestErrorText(t *testing.T) {
	invalid := NewError(422, "invalid input").
		WithFields(FieldError{"items[0].quantity", "must be at least 1"}, FieldError{"currency", "is required"})
	const text = "422 Unprocessable Entity: invalid input; items[0].quantity must be at least 1; currency is required"
	cause := errors.New("the cause")
	tests := map[string]struct {
		err  error
		want string
	}{
		"detail":           {NewError(404, "order %d", 42), "404 Not Found: order 42"},
		"cause":            {NewError(404, "order 42").WithCause(cause), "404 Not Found: order 42: the cause"},
		"fields":           {invalid, text},
		"fields and cause": {invalid.WithCause(cause), text + ": the cause"},
		"a reply's":        {invalid.Reply("1").Err(), text},
		"a cause's fields": {NewError(500, "internal error").WithCause(invalid), "500 Internal Server Error: internal error: " + text},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.err.Error(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestErrorOfCodedReply: the error of a reply has no body, and so does not have its content coding either.
func TestErrorOfCodedReply(t *testing.T) {
	reply := &Reply{Status: 503, Header: http.Header{"Content-Encoding": {"gzip"}, "Retry-After": {"3"}}}
	e, ok := errors.AsType[*Error](reply.Err())
	if !ok {
		t.Fatal("no error")
	}
	passedOn := e.PassOn().Reply("1")
	if h := passedOn.Header; h.Get("Content-Encoding") != "" || h.Get("Retry-After") != "3" {
		t.Errorf("header %v", h)
	}
	if reply.Header.Get("Content-Encoding") == "" {
		t.Error("Err changed the reply")
	}
}
