package http

import "time"

// routes is the whole API: each line maps an HTTP method and path to the queue of a service's method, and says what the
// caller needs. Queues are named here and nowhere else: nothing in a request can choose one.
func routes(api *table) {
	v1 := api.group("/v1")

	v1.POST("/login", proxy("access-control.login"), public, within(10*time.Second), maxBody(4<<10)) // hashing takes time
	v1.POST("/logout", proxy("access-control.logout"), requireToken, forgetToken, maxBody(4<<10), idempotent)

	v1.GET("/orders", proxy("orders.getAll"), requireToken, scope("orders:read"))
	v1.POST("/orders", proxy("orders.create"), requireToken, scope("orders:write"), maxBody(64<<10), idempotent)
	v1.GET("/orders/:id", proxy("orders.get"), requireToken, scope("orders:read"))
	v1.POST("/orders/:id/cancel", proxy("orders.cancel"), requireToken, scope("orders:write"), maxBody(4<<10))
}
