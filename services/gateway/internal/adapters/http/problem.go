package http

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
)

// statusClientGone is logged for clients that did not wait for the answer. Nobody receives it.
const statusClientGone = 499

// problem says what the caller is told about an error: problem+json (RFC 9457) of this status and text. The causes are
// for the log.
func (s *Server) problem(err error) *rpc.Error {
	var (
		known   *rpc.Error
		routing *echo.HTTPError
		body    *http.MaxBytesError
		network net.Error
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
		return rpc.NewError(s.options.TimeoutStatus, "no answer in time").WithCause(err)
	case errors.Is(err, rpc.ErrMalformedReply):
		return rpc.NewError(http.StatusBadGateway, "the answer was not understood").WithCause(err)
	case errors.Is(err, rpc.ErrTooManyPending):
		return unavailable("too many requests are in flight").WithCause(err)
	case errors.Is(err, messaging.ErrHeadersTooLarge):
		return headersTooLarge("request line and headers are too large to be passed on").WithCause(err)
	case errors.Is(err, messaging.ErrInvalidMessage):
		return rpc.BadRequest("the request can't be passed on").WithCause(err)
	case errors.Is(err, messaging.ErrUnavailable), errors.Is(err, messaging.ErrUnroutable),
		errors.Is(err, messaging.ErrClosed), errors.Is(err, rpc.ErrClosed):
		return unavailable("the service can't be reached now").WithCause(err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return rpc.NewError(http.StatusRequestTimeout, "the request took too long to arrive").WithCause(err)
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
func (s *Server) writeError(err error, c echo.Context) {
	x := exchangeOf(c)
	x.err = err
	if c.Response().Committed {
		return
	}
	p := s.problem(err)
	if p.Status == statusClientGone {
		c.Response().Status = statusClientGone
		return
	}
	if err := s.writeReply(c, p.Reply(x.id)); err != nil {
		x.err = errors.Join(x.err, err)
	}
}
