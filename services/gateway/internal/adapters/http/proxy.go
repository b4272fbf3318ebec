package http

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/net/http/httpguts"

	"example.com/warren/pkg/rpc"
)

// request maps an HTTP request to a call. The client decides what it contains, but neither its queue nor its identity.
func (h *routeHandler) request(c echo.Context, info *requestInfo) (*rpc.Request, error) {
	r := c.Request()
	params, err := params(c)
	if err != nil {
		return nil, err
	}
	var query url.Values
	if r.URL.RawQuery != "" {
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return nil, problems.queryMalformed.WithCause(err)
		}
	}
	began := time.Now()
	bytes, err := h.readBody(r, &info.body)
	if err != nil {
		return nil, err
	}
	info.deadline = info.deadline.Add(time.Since(began)) // a slow upload leaves the service its time
	return &rpc.Request{
		Queue:         h.Queue,
		ID:            info.id,
		CorrelationID: info.id,
		Method:        h.Method, // also of a HEAD request
		Path:          r.URL.Path,
		Route:         h.Path,
		Params:        params,
		Query:         query,
		Header:        forwardable(r.Header, h.forward, info.remoteIP),
		Identity:      info.identity,
		ContentType:   r.Header.Get(echo.HeaderContentType),
		Body:          bytes,
		Deadline:      info.deadline,
		Idempotent:    h.Idempotent,
	}, nil
}

// params returns the route's parameters. The router leaves them escaped if the path was escaped in an unusual way.
func params(c echo.Context) (map[string]string, error) {
	names := c.ParamNames()
	if len(names) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(names))
	for _, name := range names {
		value := c.Param(name)
		if c.Request().URL.RawPath != "" {
			var err error
			if value, err = url.PathUnescape(value); err != nil {
				return nil, problems.pathMalformed.WithCause(err)
			}
		}
		out[name] = value
	}
	return out, nil
}

// writeReply maps a reply to the HTTP response.
func writeReply(c echo.Context, reply *rpc.Reply) error {
	response := c.Response()
	header := response.Header()
	returnable(reply.Header, header)
	body := reply.Body
	if !mayHaveBody(reply.Status) {
		body = nil
	}
	// net/http sets the length itself only if the response is not flushed; observe flushes it.
	if reply.Status != http.StatusNoContent && reply.Status != http.StatusNotModified {
		header.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	}
	if len(body) == 0 {
		response.WriteHeader(reply.Status)
		return nil
	}
	header.Set(echo.HeaderContentType, contentType(reply))
	response.WriteHeader(reply.Status)
	if _, err := response.Write(body); err != nil {
		return fmt.Errorf("write response: %w", err)
	}
	return nil
}

func mayHaveBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified && status != http.StatusResetContent
}

// contentType returns the reply's content type. One that a header can't carry counts as none.
func contentType(reply *rpc.Reply) string {
	if reply.ContentType == "" || !httpguts.ValidHeaderFieldValue(reply.ContentType) {
		return echo.MIMEOctetStream
	}
	return reply.ContentType
}
