package e2e

import (
	"net/http"
	"strings"
	"testing"
)

const order = `{"currency":"EUR","items":[{"sku":"teapot","quantity":2}]}`

// TestOrders follows the README: log in, list, create, cancel, log out, and the errors on the way.
func TestOrders(t *testing.T) {
	s := suite.StartSystem(t)
	s.API.Want(t, 401, http.MethodGet, "/v1/orders", "")
	demo := s.API.Login(t, "demo")
	list := demo.Want(t, 200, http.MethodGet, "/v1/orders", "")
	if orders, _ := list.JSON(t, "orders").([]any); len(orders) == 0 {
		t.Errorf("no seeded orders: %s", list.Body)
	}
	created := demo.Want(t, 201, http.MethodPost, "/v1/orders", order, "Idempotency-Key", "once")
	id := created.Text(t, "id")
	if got := created.JSON(t, "total"); got != 6980. {
		t.Errorf("total %v, want that of the catalogue: %s", got, created.Body)
	}
	if got := created.Header.Get("Location"); got != "/v1/orders/"+id {
		t.Errorf("Location %q of order %s", got, id)
	}
	if again := demo.Want(t, 201, http.MethodPost, "/v1/orders", order, "Idempotency-Key", "once"); again.Text(t, "id") != id {
		t.Errorf("the same key made another order: %s", again.Body)
	}
	if other := demo.Want(t, 201, http.MethodPost, "/v1/orders", order); other.Text(t, "id") == id {
		t.Error("no key gave the same order")
	}
	demo.Want(t, 422, http.MethodPost, "/v1/orders", strings.Replace(order, "2", "1", 1), "Idempotency-Key", "once")

	demo.Want(t, 200, http.MethodGet, "/v1/orders/"+id, "")
	if cancelled := demo.Want(t, 200, http.MethodPost, "/v1/orders/"+id+"/cancel", ""); cancelled.Text(t, "status") != "cancelled" {
		t.Errorf("after the cancellation: %s", cancelled.Body)
	}
	demo.Want(t, 409, http.MethodPost, "/v1/orders/"+id+"/cancel", "")
	bad := demo.Want(t, 422, http.MethodPost, "/v1/orders", `{"currency":"EUR","items":[{"sku":"","quantity":0}]}`)
	if errs, _ := bad.JSON(t, "errors").([]any); len(errs) != 2 {
		t.Errorf("want two field errors: %s", bad.Body)
	}
	demo.Want(t, 400, http.MethodPost, "/v1/orders", `{`)
	demo.Want(t, 404, http.MethodGet, "/v1/orders/0190a6d0-0000-7000-8000-00000000dead", "")

	admin := s.API.Login(t, "admin")
	admin.Want(t, 200, http.MethodGet, "/v1/orders/"+id, "")

	demo.Want(t, 204, http.MethodPost, "/v1/logout", "")
	demo.Want(t, 401, http.MethodGet, "/v1/orders", "")
	admin.Want(t, 200, http.MethodGet, "/v1/orders", "")

	suite.CheckQueues(t, "orders.getAll", "orders.get", "orders.create", "orders.cancel")
}
