package http

import (
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"example.com/warren/services/gateway/internal/domain"
)

// exchange is what the gateway knows of one request, beside the request itself.
type exchange struct {
	id        string    // the correlation id, in the response and in every message
	began     time.Time // when the headers were here
	limitFrom time.Time // when the limit begins: later than began by what the body took to arrive
	limit     time.Duration
	forward   map[string]bool // headers that this route passes on although others don't
	token     string
	identity  *domain.Identity // nil: nobody, or not checked yet
	err       error            // what the response's status comes from, for the log
}

const exchangeKey = "exchange"

func exchangeOf(c echo.Context) *exchange {
	x, _ := c.Get(exchangeKey).(*exchange)
	return x
}

// identify gives each request its correlation id, which the caller can quote and every log line carries.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		now := time.Now()
		x := &exchange{id: uuid.NewString(), began: now, limitFrom: now, limit: s.options.Timeout}
		c.Set(exchangeKey, x)
		c.Response().Header().Set(headerCorrelationID, x.id)
		return next(c)
	}
}

// within bounds a route's token check and call together, in place of the default. It stands before requireToken.
func (s *Server) within(limit time.Duration) echo.MiddlewareFunc {
	s.longestLimit = max(s.longestLimit, limit)
	return forExchange(func(x *exchange) { x.limit = limit })
}

// deadline is when the answer to the client must be known.
func (x *exchange) deadline() time.Time {
	return x.limitFrom.Add(x.limit)
}

// forwarding has a route pass on headers that are held back by default, e.g. Cookie.
func forwarding(names ...string) echo.MiddlewareFunc {
	set := canonicalSet(names...)
	return forExchange(func(x *exchange) { x.forward = set })
}

func forExchange(f func(*exchange)) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			f(exchangeOf(c))
			return next(c)
		}
	}
}
