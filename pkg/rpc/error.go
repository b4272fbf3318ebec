package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Error is an error that the caller sees: a status, a reason for programs and a text for people. Any other error that a
// handler returns becomes status 500, and its text is only logged.
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

// Error returns the status, the detail and, for logs, the cause.
func (e *Error) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("%d %s: %s", e.Status, http.StatusText(e.Status), e.Detail)
	}
	return fmt.Sprintf("%d %s: %s: %v", e.Status, http.StatusText(e.Status), e.Detail, e.cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// WithCause returns a copy of e that wraps err. The caller never sees err.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// WithReason returns a copy of e with another reason than its status has by default: lower-case words joined by hyphens,
// which must stay the same once clients know them.
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

// Status returns the status of a call's outcome, for logs and metrics: the reply's, or that of the reply which a
// server would make of err. A cancelled context is 499, as web servers log a client that has gone.
func Status(reply *Reply, err error) int {
	switch {
	case err == nil && reply != nil:
		return reply.Status
	case errors.Is(err, context.Canceled):
		return statusClientClosed
	default:
		return asError(err).Status
	}
}

const statusClientClosed = 499

var errNoReply = errors.New("handler returned neither a reply nor an error")

// asError returns the *Error in err, or makes one that hides err from the caller.
func asError(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return internalError.WithCause(errNoReply)
	case errors.As(err, &e) && e.Status >= 400 && validStatus(e.Status):
		return e
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrTimeout):
		return NewError(http.StatusGatewayTimeout, "the service took too long").WithCause(err)
	default:
		return internalError.WithCause(err)
	}
}

var internalError = NewError(http.StatusInternalServerError, "internal error")

// NewError returns an error with any status and that status's default reason. The functions below name the usual ones.
func NewError(status int, format string, args ...any) *Error {
	return &Error{Status: status, Reason: defaultReason(status), Detail: fmt.Sprintf(format, args...)}
}

// BadRequest is status 400: the request can't be read.
func BadRequest(format string, args ...any) *Error {
	return NewError(http.StatusBadRequest, format, args...)
}

// Unauthorized is status 401: who is calling?
func Unauthorized(format string, args ...any) *Error {
	return NewError(http.StatusUnauthorized, format, args...)
}

// Forbidden is status 403: the caller is known and may not.
func Forbidden(format string, args ...any) *Error {
	return NewError(http.StatusForbidden, format, args...)
}

// NotFound is status 404.
func NotFound(format string, args ...any) *Error {
	return NewError(http.StatusNotFound, format, args...)
}

// Conflict is status 409: the state of the thing forbids it.
func Conflict(format string, args ...any) *Error {
	return NewError(http.StatusConflict, format, args...)
}

// Unprocessable is status 422: the request can be read and its content is wrong. See WithFields.
func Unprocessable(format string, args ...any) *Error {
	return NewError(http.StatusUnprocessableEntity, format, args...)
}

// TooManyRequests is status 429. See WithHeader for Retry-After.
func TooManyRequests(format string, args ...any) *Error {
	return NewError(http.StatusTooManyRequests, format, args...)
}

// Unavailable is status 503: try again later.
func Unavailable(format string, args ...any) *Error {
	return NewError(http.StatusServiceUnavailable, format, args...)
}
