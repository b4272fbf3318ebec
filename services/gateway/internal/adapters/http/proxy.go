package http

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

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
	body, err := s.readBody(c)
	if err != nil {
		return nil, err
	}
	limit := s.options.Timeout
	if x.limit > 0 {
		limit = x.limit
	}
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
		Deadline:    x.received.Add(limit),
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
	if r.ContentLength > 0 {
		body.Grow(int(r.ContentLength))
	}
	if _, err := body.ReadFrom(http.MaxBytesReader(c.Response(), r.Body, limit)); err != nil {
		return nil, bodyError(r, err)
	}
	return body.Bytes(), nil
}

// bodyError tells a client that went away in the middle of its body from what else ends one early.
func bodyError(r *http.Request, err error) error {
	if r.Context().Err() != nil {
		return r.Context().Err()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return rpc.BadRequest("the body ends too early").WithCause(err)
	}
	return fmt.Errorf("read body: %w", err)
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
