package http

import (
	"time"

	"github.com/labstack/echo/v4"
)

// routes is the whole API: a path, the method that answers it, and what it asks of the caller. A queue is named here
// and nowhere else; nothing in a request can choose one.
func (s *Server) routes(e *echo.Echo) {
	proxy, within, requireToken := s.proxy, s.within, s.requireToken

	v1 := e.Group("/v1")
	v1.POST("/login", proxy("access-control.login"), within(10*time.Second)) // hashing a password takes its time
	v1.POST("/logout", proxy("access-control.logout"), requireToken, s.forgetToken)

	v1.GET("/orders", proxy("orders.getAll"), requireToken, scope("orders:read"))
	v1.POST("/orders", proxy("orders.create"), requireToken, scope("orders:write"))
	v1.GET("/orders/:id", proxy("orders.get"), requireToken, scope("orders:read"))
	v1.POST("/orders/:id/cancel", proxy("orders.cancel"), requireToken, scope("orders:write"))
}
