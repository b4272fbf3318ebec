package protocol

import (
	"fmt"
	"net/http"
)

// Error is an error that the caller sees: a status, a reason for programs and a text for people.
type Error struct {
	Status int    // HTTP's, 400 to 599
	Reason string // what went wrong, for programs, e.g. "not-found"; on the wire the end of the problem's type
	Detail string // what went wrong, for people
	Fields []FieldError
	Header http.Header // e.g. Retry-After, WWW-Authenticate
	cause  error
}

// FieldError says what is wrong with one field of the input.
type FieldError struct {
	Field   string `json:"field"` // its path, e.g. "items[0].quantity"
	Message string `json:"message"`
}

// NewError returns an error with the status and the status's default reason.
func NewError(status int, format string, args ...any) *Error {
	return &Error{Status: status, Reason: defaultReason(status), Detail: fmt.Sprintf(format, args...)}
}

// Error returns the status, the detail and, for logs, the cause.
func (e *Error) Error() string {
	text := fmt.Sprintf("%d %s: %s", e.Status, http.StatusText(e.Status), e.Detail)
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// WithCause returns a copy of e that wraps err. The caller never sees err.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.cause = err
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

// reasons is the table of the reasons that statuses have by default. PROTOCOL.md shows it to clients, and a test compares the
// two.
var reasons = []struct {
	status  int
	reason  string
	meaning string
}{
	{http.StatusBadRequest, "bad-request", "the request can't be read"},
	{http.StatusUnauthorized, "unauthorized", "a valid token is required"},
	{http.StatusForbidden, "forbidden", "the caller may not do this"},
	{http.StatusNotFound, "not-found", "there is no such thing or no such route"},
	{http.StatusMethodNotAllowed, "method-not-allowed", "the route exists with other HTTP methods only"},
	{http.StatusRequestTimeout, "request-timeout", "the client took too long to send its request"},
	{http.StatusConflict, "conflict", "the state of the thing does not allow this"},
	{http.StatusRequestEntityTooLarge, "body-too-large", "the body exceeds the limit"},
	{http.StatusUnsupportedMediaType, "unsupported-media-type", "the body has the wrong content type"},
	{http.StatusUnprocessableEntity, "invalid-input", "the request can be read and its content is wrong; `errors` names the fields"},
	{http.StatusTooManyRequests, "too-many-requests", "the caller exceeds a limit; see `Retry-After`"},
	{http.StatusRequestHeaderFieldsTooLarge, "headers-too-large", "the headers exceed the limit"},
	{http.StatusInternalServerError, "internal-error", "the service failed; its log has the cause"},
	{http.StatusBadGateway, "bad-gateway", "the service's reply can't be understood"},
	{http.StatusServiceUnavailable, "unavailable", "the service can't be reached now; see `Retry-After`"},
	{http.StatusGatewayTimeout, "timeout", "the service did not reply in time; the gateway may use status 502 for it"},
}

// defaultReason returns "" for a status that has none.
func defaultReason(status int) string {
	for _, r := range reasons {
		if r.status == status {
			return r.reason
		}
	}
	return ""
}
