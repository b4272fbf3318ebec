package http

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
)

// statusClientGone is logged for clients that did not wait for the answer.
const statusClientGone = 499

// problem says what the caller is told about an error: problem+json (RFC 9457) of this status and text. The causes are
// for the log.
func (s *Server) problem(err error) *rpc.Error {
	var (
		known   *rpc.Error
		routing *echo.HTTPError
		body    *http.MaxBytesError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &routing):
		return rpc.NewError(routing.Code, "%s", http.StatusText(routing.Code)).WithCause(err)
	case isClientGone(err):
		return rpc.NewError(statusClientGone, "the client has gone").WithCause(err)
	case errors.As(err, &body):
		return rpc.NewError(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", body.Limit)
	case errors.Is(err, rpc.ErrTimeout):
		return rpc.NewError(s.config.TimeoutStatus, "no answer in time").WithReason("timeout").WithCause(err)
	case errors.Is(err, rpc.ErrMalformedReply):
		return rpc.NewError(http.StatusBadGateway, "the answer was not understood").WithCause(err)
	case errors.Is(err, rpc.ErrTooManyPending):
		return unavailable("too many requests are in flight").WithCause(err)
	case errors.Is(err, messaging.ErrBodyTooLarge):
		return rpc.NewError(http.StatusRequestEntityTooLarge, "the body is too large to be passed on").WithCause(err)
	case errors.Is(err, messaging.ErrHeadersTooLarge):
		return headersTooLarge("request line and headers are too large to be passed on").WithCause(err)
	case errors.Is(err, messaging.ErrInvalidMessage):
		return rpc.BadRequest("the request can't be passed on").WithCause(err)
	case errors.Is(err, messaging.ErrUnavailable), errors.Is(err, messaging.ErrUnroutable),
		errors.Is(err, messaging.ErrClosed), errors.Is(err, rpc.ErrClosed):
		return unavailable("the service can't be reached now").WithCause(err)
	default:
		return rpc.NewError(http.StatusInternalServerError, "internal error").WithCause(err)
	}
}

// unavailable is status 503 with a hint when to come back.
func unavailable(detail string) *rpc.Error {
	return rpc.Unavailable("%s", detail).WithHeader(echo.HeaderRetryAfter, "1")
}

func isClientGone(err error) bool { return errors.Is(err, context.Canceled) }

// writeError answers a request that failed.
func (s *Server) writeError(c echo.Context, info *requestInfo, err error) {
	info.err = err
	if c.Response().Committed {
		return
	}
	if errors.Is(err, rpc.ErrTooManyPending) {
		// Those who were sent away would keep their places among Config.MaxConnections, and others out.
		c.Response().Header().Set(echo.HeaderConnection, "close")
	}
	// Also to a client that has gone: one that only closed its sending side must not take silence for success.
	if err := writeReply(c, s.problem(err).Reply(info.id)); err != nil {
		info.err = errors.Join(info.err, err)
	}
}
