package e2e

import (
	"net/http"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// TestServiceAway: a call waits in its queue for a service that is down, until its limit.
func TestServiceAway(t *testing.T) {
	s := suite.StartSystem(t)
	demo := s.API.Login(t, "demo")
	s.Orders.Stop(t)

	limit, err := time.ParseDuration(system.RPCTimeout)
	if err != nil {
		t.Fatal(err)
	}
	if took := system.Take(func() { demo.Want(t, http.StatusBadGateway, http.MethodGet, "/v1/orders", "") }); took < limit || took > 2*limit {
		t.Errorf("502 after %s, the limit is %s", took, limit)
	}

	result := make(chan system.Response, 1)
	go func() {
		a, err := demo.Call(t.Context(), http.MethodGet, "/v1/orders", "")
		if err != nil {
			t.Error(err)
		}
		result <- a
	}()
	awaittest.Success(t, "the call in its queue", suite.Holds("orders.getAll", 1))
	s.StartOrders(t)
	if a := <-result; a.Status != http.StatusOK {
		t.Errorf("status %d of a call that waited for its service: %s", a.Status, a.Body)
	}
}
