package protocol

import (
	"cmp"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// Error is an error that the caller sees: a status, a reason for programs and a text for people.
type Error struct {
	Status int    // HTTP's, 400 to 599
	Reason string // what went wrong, for programs, e.g. "not-found"; on the wire the end of the problem's type
	Detail string // what went wrong, for people
	Fields []FieldError
	Header http.Header // e.g. Retry-After, WWW-Authenticate

	cause    error
	received bool // see Received
}

// FieldError says what is wrong with one field of the input.
type FieldError struct {
	Field   string `json:"field"` // its path, e.g. "items[0].quantity"
	Message string `json:"message"`
}

// NewError returns an error with the status and the status's default reason.
func NewError(status int, format string, args ...any) *Error {
	return &Error{Status: status, Reason: reasons[status], Detail: fmt.Sprintf(format, args...)}
}

// Error returns the status, the detail, the fields and, for logs, the cause.
func (e *Error) Error() string {
	text := fmt.Appendf(nil, "%d %s: %s", e.Status, http.StatusText(e.Status), e.Detail)
	for _, field := range e.Fields {
		text = fmt.Appendf(text, "; %s %s", field.Field, field.Message)
	}
	if e.cause != nil {
		text = fmt.Appendf(text, ": %s", e.cause)
	}
	return string(text)
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// WithCause returns a copy of e that wraps err. The caller never sees err.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// Received reports whether e came in a reply; see [Reply.Err]. It is then about a request that the handler sent. The caller of a
// handler that returns it gets an error of status 500 or above, unless the handler returns e.PassOn().
func (e *Error) Received() bool { return e.received }

// PassOn returns a copy of e for a handler to return as its own error.
func (e *Error) PassOn() *Error {
	c := *e
	c.received = false
	return &c
}

// WithReason returns a copy of e with another reason than its status has by default: lower-case words joined by hyphens.
// Clients depend on a reason, so it must not change later.
func (e *Error) WithReason(reason string) *Error {
	c := *e
	c.Reason = reason
	return &c
}

// WithFields returns a copy of e that names the fields at fault.
func (e *Error) WithFields(fields ...FieldError) *Error {
	c := *e
	c.Fields = fields
	return &c
}

// WithHeader returns a copy of e whose reply carries the header.
func (e *Error) WithHeader(name, value string) *Error {
	c := *e
	c.Header = e.Header.Clone()
	if c.Header == nil {
		c.Header = http.Header{}
	}
	c.Header.Set(name, value)
	return &c
}

// reasons are the default reasons of statuses. PROTOCOL.md explains them to clients, and a test compares the two.
var reasons = map[int]string{
	http.StatusBadRequest:                  "bad-request",
	http.StatusUnauthorized:                "unauthorized",
	http.StatusForbidden:                   "forbidden",
	http.StatusNotFound:                    "not-found",
	http.StatusMethodNotAllowed:            "method-not-allowed",
	http.StatusRequestTimeout:              "request-timeout",
	http.StatusConflict:                    "conflict",
	http.StatusRequestEntityTooLarge:       "body-too-large",
	http.StatusUnsupportedMediaType:        "unsupported-media-type",
	http.StatusUnprocessableEntity:         "invalid-input",
	http.StatusTooManyRequests:             "too-many-requests",
	http.StatusRequestHeaderFieldsTooLarge: "headers-too-large",
	http.StatusInternalServerError:         "internal-error",
	http.StatusBadGateway:                  "bad-gateway",
	http.StatusServiceUnavailable:          "unavailable",
	http.StatusGatewayTimeout:              "timeout",
}

// problem is an error on the wire (RFC 9457).
type problem struct {
	Type          string       `json:"type"`
	Title         string       `json:"title"`
	Status        int          `json:"status"`
	Detail        string       `json:"detail,omitempty"`
	CorrelationID string       `json:"correlation_id,omitempty"`
	Errors        []FieldError `json:"errors,omitempty"`
}

const (
	// problemPrefix and a reason make a problem's type, a URI that identifies and does not resolve.
	problemPrefix = "urn:problem-type:"
	// problemBlank is the type of problems that their status describes (RFC 9457, section 4.2.1).
	problemBlank = "about:blank"
)

// Reply returns e as problem+json about the request with the correlation ID.
func (e *Error) Reply(correlationID string) *Reply {
	p := problem{
		Type:          problemBlank,
		Title:         http.StatusText(e.Status),
		Status:        e.Status,
		Detail:        e.Detail,
		CorrelationID: correlationID,
		Errors:        e.Fields,
	}
	if reason := cmp.Or(e.Reason, reasons[e.Status]); reason != "" {
		p.Type = problemPrefix + reason
	}
	body, _ := json.Marshal(p) // strings and an integer always marshal
	return &Reply{Status: e.Status, Header: e.Header.Clone(), ContentType: contentTypeProblem, Body: body}
}

// Err returns the error that a reply of status 400 and above describes, as a *[Error] that was received, and nil for other
// replies. If the body is no problem+json, only the status is known.
func (r *Reply) Err() error {
	if r.Status < http.StatusBadRequest {
		return nil
	}
	e := NewError(r.Status, "%s", http.StatusText(r.Status))
	e.Header, e.received = r.Header.Clone(), true
	e.Header.Del("Content-Encoding") // of the reply's body
	var p problem
	if parsed, _, _ := mime.ParseMediaType(r.ContentType); parsed != contentTypeProblem || json.Unmarshal(r.Body, &p) != nil {
		return e
	}
	e.Fields = p.Errors
	e.Detail = cmp.Or(p.Detail, p.Title, e.Detail)
	if reason, ok := strings.CutPrefix(p.Type, problemPrefix); ok {
		e.Reason = cmp.Or(reason, e.Reason)
	}
	return e
}
