package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
)

// statusClientGone is logged for a client that closed its connection before the response.
const statusClientGone = 499

// problems are the failures that the gateway itself reports. Clients depend on the status and the reason; the text is for
// people and may change.
var problems = struct {
	tokenMissing, tokenMalformed, tokenInvalid, tokenUnchecked, scopeMissing,
	noSuchRoute, methodNotAllowed, pathMalformed, queryMalformed, requestInvalid,
	bodyTooLarge, bodyTooSlow, bodyUnreadable, codingUnsupported, headersTooLarge, tooManyBodies, tooManyCalls,
	serviceUnavailable, noReply, replyMalformed, clientGone, internalError *rpc.Error
}{
	// RFC 6750, section 3.1: a request without a token gets a challenge that names no error.
	tokenMissing: challenge(rpc.Unauthorized("a bearer token is required"), "").WithReason("token-missing"),
	tokenMalformed: challenge(rpc.Unauthorized("the Authorization header must hold one bearer token"), "invalid_request").
		WithReason("token-malformed"),
	tokenInvalid:   challenge(rpc.Unauthorized("the token is not valid: log in again"), "invalid_token").WithReason("token-invalid"),
	tokenUnchecked: retry(rpc.Unavailable("tokens can't be checked now")).WithReason("token-check-unavailable"),
	scopeMissing:   challenge(rpc.Forbidden("a scope is required"), "insufficient_scope").WithReason("scope-missing"),

	noSuchRoute:      rpc.NotFound("there is no such route").WithReason("no-such-route"),
	methodNotAllowed: rpc.NewError(http.StatusMethodNotAllowed, "the route does not have this method"),
	pathMalformed:    rpc.BadRequest("the path can't be parsed").WithReason("path-malformed"),
	queryMalformed:   rpc.BadRequest("the query can't be parsed").WithReason("query-malformed"),
	requestInvalid:   rpc.BadRequest("the request can't be passed on").WithReason("request-invalid"),

	bodyTooLarge:   rpc.NewError(http.StatusRequestEntityTooLarge, "the body is too large"),
	bodyTooSlow:    rpc.NewError(http.StatusRequestTimeout, "the body took too long to arrive").WithReason("body-too-slow"),
	bodyUnreadable: rpc.BadRequest("the body can't be read").WithReason("body-unreadable"),
	codingUnsupported: rpc.NewError(http.StatusUnsupportedMediaType, "the body must not have a content coding").
		WithHeader(echo.HeaderAcceptEncoding, "identity"),
	headersTooLarge: rpc.NewError(http.StatusRequestHeaderFieldsTooLarge, "request line and headers are too large"),
	tooManyBodies:   retry(rpc.Unavailable("too many large requests are in flight")).WithReason("too-many-bodies"),
	tooManyCalls:    retry(rpc.Unavailable("too many requests are in flight")).WithReason("too-many-calls"),

	serviceUnavailable: retry(rpc.Unavailable("the service can't be reached now")).WithReason("service-unavailable"),
	noReply:            rpc.NewError(http.StatusBadGateway, "no reply in time").WithReason("no-reply"),
	replyMalformed:     rpc.NewError(http.StatusBadGateway, "the reply was not understood").WithReason("reply-malformed"),
	clientGone:         rpc.NewError(statusClientGone, "the client has gone").WithReason("client-gone"),
	internalError:      rpc.NewError(http.StatusInternalServerError, "internal error"),
}

// challenge adds the challenge that a refused token gets (RFC 6750, section 3).
func challenge(e *rpc.Error, code string) *rpc.Error {
	value := `Bearer realm="warren"`
	if code != "" {
		value += fmt.Sprintf(", error=%q", code)
	}
	return e.WithHeader(echo.HeaderWWWAuthenticate, value)
}

// retry adds when to try again.
func retry(e *rpc.Error) *rpc.Error { return e.WithHeader(echo.HeaderRetryAfter, "1") }

// withDetail returns a copy of e with another text.
func withDetail(e *rpc.Error, format string, args ...any) *rpc.Error {
	c := *e
	c.Detail = fmt.Sprintf(format, args...)
	return &c
}

// problemOf maps the errors of router and calls to the problem that the client gets. The first one that matches counts.
var problemOf = []struct {
	err     error
	problem *rpc.Error
}{
	{echo.ErrNotFound, problems.noSuchRoute},
	{echo.ErrMethodNotAllowed, problems.methodNotAllowed},
	{context.Canceled, problems.clientGone},
	{rpc.ErrTimeout, problems.noReply},
	{rpc.ErrMalformedReply, problems.replyMalformed},
	{rpc.ErrTooManyPending, problems.tooManyCalls},
	{rpc.ErrClosed, problems.serviceUnavailable},
	{messaging.ErrUnavailable, problems.serviceUnavailable},
	{messaging.ErrUnroutable, problems.serviceUnavailable},
	{messaging.ErrClosed, problems.serviceUnavailable},
	{messaging.ErrBodyTooLarge, problems.bodyTooLarge},
	{messaging.ErrHeadersTooLarge, problems.headersTooLarge},
	{messaging.ErrInvalidMessage, problems.requestInvalid},
}

// problem returns the problem that the client gets for err. The cause is only logged.
func (s *Server) problem(err error) *rpc.Error {
	if known, ok := errors.AsType[*rpc.Error](err); ok {
		return known
	}
	for _, p := range problemOf {
		if errors.Is(err, p.err) {
			problem := p.problem.WithCause(err)
			if p.problem == problems.noReply {
				problem.Status = s.config.TimeoutStatus
			}
			return problem
		}
	}
	return problems.internalError.WithCause(err)
}

// writeError responds to a request that failed.
func (s *Server) writeError(c echo.Context, info *requestInfo, err error) {
	info.err = err
	if c.Response().Committed {
		return
	}
	// Under overload, a rejected keep-alive client would keep holding one of Config.MaxConnections.
	overload := errors.Is(err, rpc.ErrTooManyPending) || errors.Is(err, errQuotaExceeded)
	if overload || !s.readRest(c.Request()) {
		c.Response().Header().Set(echo.HeaderConnection, "close")
	}
	// A client that has gone gets a response too: it may have closed only its sending side, and must not take an empty
	// response for success.
	if err := writeReply(c, s.problem(err).Reply(info.id)); err != nil {
		info.err = errors.Join(info.err, err)
	}
}
