package http

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/warren/pkg/rpc"
)

// routeHandler serves the requests of one route. Everything that follows from the route alone is computed once, when the
// server is built.
type routeHandler struct {
	Route
	server       *Server
	timeout      time.Duration // for the token check and the call together
	maxBody      int64
	forward      map[string]bool // the canonical names of Route.Forward
	scopeMissing *rpc.Error
	bodies       *bodyQuota
}

func (s *Server) newRouteHandler(r Route) *routeHandler {
	return &routeHandler{
		Route:        r,
		server:       s,
		timeout:      cmp.Or(r.Timeout, s.callTimeout),
		maxBody:      min(cmp.Or(r.MaxBody, s.config.MaxBodyBytes), s.config.MaxBodyBytes),
		forward:      canonicalSet(r.Forward...),
		scopeMissing: scopeMissing(r.Scope),
		bodies:       s.newBodyQuota(),
	}
}

// serve checks the token, makes the call and writes the response.
func (h *routeHandler) serve(c echo.Context) error {
	info := infoOf(c)
	info.deadline = info.began.Add(h.timeout)
	ctx := rpc.WithCorrelationID(c.Request().Context(), info.id)
	if h.RequireToken {
		if err := h.authorize(ctx, c.Request().Header, info); err != nil {
			return err
		}
	}
	reply, err := h.call(ctx, c, info)
	if h.ForgetToken {
		h.server.authenticator.Forget(info.token) // also if the call failed: the service may have handled it
	}
	if err != nil {
		return err
	}
	return writeReply(c, reply)
}

// call makes the call. It releases the body before the response is written, because a slow client may take long to read it.
// A client that disconnects does not end the call: the broker holds the request until it is answered or expires, and until then
// the call counts against the limits.
func (h *routeHandler) call(ctx context.Context, c echo.Context, info *requestInfo) (*rpc.Reply, error) {
	info.body.quota = h.bodies
	defer info.body.release()
	request, err := h.request(c, info)
	if err != nil {
		return nil, err
	}
	reply, err := h.server.caller.Do(context.WithoutCancel(ctx), request)
	if err = cmp.Or(ctx.Err(), err); err != nil {
		return nil, err
	}
	if reply.Status >= http.StatusBadRequest && len(reply.Body) == 0 {
		return problemFor(reply, info.id), nil
	}
	return reply, nil
}

// problemFor returns a problem in place of a reply that has a status alone, which a service that does not use package rpc may
// send. It is apart from call to keep the problem off the stacks of requests that wait.
func problemFor(reply *rpc.Reply, id string) *rpc.Reply {
	problem := rpc.NewError(reply.Status, "%s", http.StatusText(reply.Status)).Reply(id)
	problem.Header = reply.Header
	return problem
}

// requestInfo is what the gateway knows about one request. It is the context of all handlers behind observe.
type requestInfo struct {
	echo.Context

	id       string    // the correlation ID, in the response and in every message
	began    time.Time // when the headers had arrived
	remoteIP string    // the client's
	deadline time.Time // for the token check and the call together
	body     requestBody
	token    string
	identity *rpc.Identity // nil: public route, or not checked yet
	err      error         // the cause of the response's status, for the log
}

func infoOf(c echo.Context) *requestInfo {
	info, _ := c.(*requestInfo)
	return info
}
