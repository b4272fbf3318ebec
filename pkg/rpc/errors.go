package rpc

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc/protocol"
)

// NewError returns an error with any status and the default reason of that status. The functions below name the usual
// ones.
func NewError(status int, format string, args ...any) *Error {
	return protocol.NewError(status, format, args...)
}

// BadRequest returns an error of status 400: the request can't be read.
func BadRequest(format string, args ...any) *Error {
	return NewError(http.StatusBadRequest, format, args...)
}

// Unauthorized returns an error of status 401: the caller is unknown.
func Unauthorized(format string, args ...any) *Error {
	return NewError(http.StatusUnauthorized, format, args...)
}

// Forbidden returns an error of status 403: the caller is known and may not do this.
func Forbidden(format string, args ...any) *Error {
	return NewError(http.StatusForbidden, format, args...)
}

// NotFound returns an error of status 404.
func NotFound(format string, args ...any) *Error {
	return NewError(http.StatusNotFound, format, args...)
}

// Conflict returns an error of status 409: the state of the thing does not allow this.
func Conflict(format string, args ...any) *Error {
	return NewError(http.StatusConflict, format, args...)
}

// Unprocessable returns an error of status 422: the request can be read and its content is wrong. See Error.WithFields.
func Unprocessable(format string, args ...any) *Error {
	return NewError(http.StatusUnprocessableEntity, format, args...)
}

// TooManyRequests returns an error of status 429. See Error.WithHeader for Retry-After.
func TooManyRequests(format string, args ...any) *Error {
	return NewError(http.StatusTooManyRequests, format, args...)
}

// Unavailable returns an error of status 503: the caller may try again later.
func Unavailable(format string, args ...any) *Error {
	return NewError(http.StatusServiceUnavailable, format, args...)
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

// ErrorType returns a word for why a call has no reply, for metrics and spans: one of errorTypes, or "error".
func ErrorType(err error) string {
	for _, e := range errorTypes {
		if errors.Is(err, e.err) {
			return e.word
		}
	}
	return "error"
}

var errorTypes = []struct {
	err  error
	word string
}{
	{ErrTimeout, "timeout"},
	{context.Canceled, "canceled"},
	{ErrTooManyPending, "too_many_pending"},
	{messaging.ErrUnavailable, "unavailable"},
	{messaging.ErrUnroutable, "unroutable"},
	{ErrMalformedReply, "malformed_reply"},
}

var errNoReply = errors.New("handler returned neither a reply nor an error")

// What the caller sees of failures that are not an *Error of the handler.
var (
	internalError  = NewError(http.StatusInternalServerError, "internal error")
	malformedReply = NewError(http.StatusBadGateway, "the reply of another service was not understood")
	unavailableNow = Unavailable("the service is not available now").WithHeader(headerRetryAfter, "1")
	tookTooLong    = NewError(http.StatusGatewayTimeout, "the service took too long")
)

const headerRetryAfter = "Retry-After"

// failureOf maps the errors of the handler's own calls, messages and deadline. The first one that matches counts.
var failureOf = []struct {
	err     error
	failure *Error
}{
	{context.DeadlineExceeded, tookTooLong},
	{ErrTimeout, tookTooLong},
	{ErrMalformedReply, malformedReply},
	{ErrTooManyPending, unavailableNow},
	{ErrClosed, unavailableNow},
	{messaging.ErrUnavailable, unavailableNow},
	{messaging.ErrUnconfirmed, unavailableNow},
	{messaging.ErrUnroutable, unavailableNow},
	{messaging.ErrClosed, unavailableNow},
}

// asError returns the *Error in err, or makes one that hides err from the caller.
func asError(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return internalError.WithCause(errNoReply)
	case errors.As(err, &e) && e.Received():
		return receivedError(e).WithCause(err)
	case e != nil && e.Status >= 400 && protocol.ValidStatus(e.Status):
		return e
	}
	for _, f := range failureOf {
		if errors.Is(err, f.err) {
			return f.failure.WithCause(err)
		}
	}
	return internalError.WithCause(err)
}

// receivedError returns the error of a handler whose call another service failed. A refusal becomes 500, since that service
// refused the handler's request and not the caller's.
func receivedError(e *Error) *Error {
	switch e.Status {
	case http.StatusBadGateway:
		return malformedReply
	case http.StatusServiceUnavailable:
		return unavailableNow.WithHeader(headerRetryAfter, cmp.Or(e.Header.Get(headerRetryAfter), "1"))
	case http.StatusGatewayTimeout:
		return tookTooLong
	default:
		return internalError
	}
}
