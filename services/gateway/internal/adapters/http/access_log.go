package http

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// observe gives each request its correlation ID, turns errors into responses, and logs and counts the request. Neither the
// query nor headers are logged, because they may hold secrets.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		active := s.metrics.active.WithLabelValues(methodLabel(c.Request().Method))
		active.Inc()
		defer active.Dec()
		info := &requestInfo{Context: c, id: uuid.NewString(), began: time.Now(), remoteIP: c.RealIP()}
		setDefaults(c.Response().Header(), c.Request(), info.id)
		if err := next(info); err != nil {
			s.writeError(c, info, err)
		}
		c.Response().Flush() // the client need not wait for the log
		duration := time.Since(info.began)
		s.metrics.observe(c, duration)
		s.log(c, info, duration)
		return nil
	}
}

func (s *Server) log(c echo.Context, info *requestInfo, duration time.Duration) {
	r, status := c.Request(), c.Response().Status
	level := levelOf(status)
	if !s.logger.Enabled(r.Context(), level) {
		return
	}
	attributes := append(make([]slog.Attr, 0, 10), // on the stack
		slog.String("method", r.Method),
		slog.String("route", routeLabel(c)),
		slog.String("path", r.URL.Path),
		slog.Int("status", status),
		slog.Duration("duration", duration),
		slog.Int64("bytes", c.Response().Size),
		slog.String("correlation_id", info.id),
		slog.String("remote_ip", info.remoteIP),
	)
	if info.identity != nil {
		attributes = append(attributes, slog.String("subject", info.identity.Subject))
	}
	if info.err != nil {
		attributes = append(attributes, slog.String("error", info.err.Error()))
	}
	s.logger.LogAttrs(r.Context(), level, "request", attributes...)
}

// levelOf returns the level of a request's log line. A 503 is a warning: load or a lost broker is not a fault of the gateway.
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

// routeLabel returns the pattern of the path, or "none".
func routeLabel(c echo.Context) string {
	if c.Path() == "" {
		return "none"
	}
	return c.Path()
}
