package http

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/warren/pkg/rpc"
)

// proxy answers a route by calling the method of a queue.
func (s *Server) proxy(queue string) echo.HandlerFunc {
	return func(c echo.Context) error {
		request, err := s.request(c, queue)
		if err != nil {
			return err
		}
		reply, err := s.caller.Do(c.Request().Context(), request)
		if err != nil {
			return err
		}
		if reply.Status >= http.StatusBadRequest && len(reply.Body) == 0 {
			// Not every service speaks problem+json; no caller should be left without a word.
			problem := rpc.NewError(reply.Status, "%s", http.StatusText(reply.Status)).Reply(request.ID)
			problem.Header = reply.Header
			reply = problem
		}
		return s.writeReply(c, reply)
	}
}

// request maps an HTTP request to a call. The client decides what is in it, and nothing about where it goes or for whom
// it speaks.
func (s *Server) request(c echo.Context, queue string) (*rpc.Request, error) {
	x, r := exchangeOf(c), c.Request()
	params, err := params(c)
	if err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, rpc.BadRequest("the query can't be parsed").WithCause(err)
	}
	began := time.Now()
	body, err := s.readBody(c)
	if err != nil {
		return nil, err
	}
	x.limitFrom = x.limitFrom.Add(time.Since(began)) // a slow upload is not the service's fault
	return &rpc.Request{
		Queue:       queue,
		ID:          x.id,
		Method:      r.Method,
		Path:        r.URL.Path,
		Route:       c.Path(),
		Params:      params,
		Query:       query,
		Header:      forwardable(r.Header, x.forward, c.RealIP()),
		Identity:    rpcIdentity(x.identity),
		ContentType: r.Header.Get(echo.HeaderContentType),
		Body:        body,
		Deadline:    x.deadline(),
	}, nil
}

// params returns the route's parameters. The router leaves them escaped if the path holds escaped slashes.
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
				return nil, rpc.BadRequest("the path can't be parsed").WithCause(err)
			}
		}
		out[name] = value
	}
	return out, nil
}

// trustedBodyBytes is how much memory a client gets for its word alone, in Content-Length.
const trustedBodyBytes = 16 << 10

// readBody reads up to the limit; more is a *http.MaxBytesError.
func (s *Server) readBody(c echo.Context) ([]byte, error) {
	r := c.Request()
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	limit := s.options.MaxBodyBytes
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0), trustedBodyBytes)))
	if _, err := body.ReadFrom(http.MaxBytesReader(c.Response(), r.Body, limit)); err != nil {
		return nil, bodyError(r, err)
	}
	return body.Bytes(), nil
}

// bodyError says why a body could not be read: too large, too slow, its client gone, or not a body at all. A time-out
// ends the request's context too, and so comes first.
func bodyError(r *http.Request, err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return rpc.NewError(http.StatusRequestTimeout, "the body took too long to arrive").WithCause(err)
	case r.Context().Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return r.Context().Err()
	default:
		return rpc.BadRequest("the body can't be read").WithCause(err)
	}
}

// writeReply maps a reply to the HTTP response.
func (s *Server) writeReply(c echo.Context, reply *rpc.Reply) error {
	response := c.Response()
	header := response.Header()
	returnable(reply.Header, header)
	if !mayHaveBody(reply.Status) || len(reply.Body) == 0 {
		response.WriteHeader(reply.Status)
		return nil
	}
	header.Set(echo.HeaderContentType, contentType(reply))
	// Without it, browsers guess; a text that looks like a page would become one.
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	response.WriteHeader(reply.Status)
	if _, err := response.Write(reply.Body); err != nil {
		return fmt.Errorf("write response: %w", err)
	}
	return nil
}

func mayHaveBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified && status != http.StatusResetContent
}

func contentType(reply *rpc.Reply) string {
	if reply.ContentType == "" {
		return echo.MIMEOctetStream
	}
	return reply.ContentType
}
