package http

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// observe answers errors, then logs and counts the request: one line for each. Neither query nor headers are logged,
// they may hold secrets.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		s.metrics.inFlight.Inc()
		defer s.metrics.inFlight.Dec()
		if err := next(c); err != nil {
			c.Error(err) // not flushed: that may wait for a body that nobody has read
		} else {
			c.Response().Flush() // the client need not wait for the rest
		}
		x, status := exchangeOf(c), c.Response().Status
		duration := time.Since(x.began)
		method := methodLabel(c.Request().Method)
		s.metrics.requests.WithLabelValues(method, routeLabel(c), strconv.Itoa(status)).Inc()
		s.metrics.durations.WithLabelValues(method, routeLabel(c)).Observe(duration.Seconds())
		s.log(c, x, status, duration)
		return nil
	}
}

func (s *Server) log(c echo.Context, x *exchange, status int, duration time.Duration) {
	r := c.Request()
	level := levelOf(status)
	if !s.logger.Enabled(r.Context(), level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path),
		slog.Int("status", status),
		slog.Duration("duration", duration),
		slog.Int64("bytes", c.Response().Size),
		slog.String("correlation_id", x.id),
		slog.String("remote_ip", c.RealIP()),
	}
	if x.identity != nil {
		attributes = append(attributes, slog.String("subject", x.identity.Subject))
	}
	if x.err != nil {
		attributes = append(attributes, slog.String("error", x.err.Error()))
	}
	s.logger.LogAttrs(r.Context(), level, "request", attributes...)
}

// levelOf takes a refusal under load, or while the broker is away, for less than a fault.
func levelOf(status int) slog.Level {
	switch {
	case status == http.StatusServiceUnavailable:
		return slog.LevelWarn
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// recover turns a panic into an error with its stack, so that one request's fault ends no other's.
func (s *Server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			r := recover()
			if r == nil {
				return
			}
			if cause, ok := r.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
				panic(r) //nolint:forbidigo // net/http asks for this one
			}
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}()
		return next(c)
	}
}
