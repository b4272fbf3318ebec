package e2e

import (
	"net/http"
	"testing"
	"time"
)

// TestServiceAway: a call waits in its queue for a service that is down, until its limit.
func TestServiceAway(t *testing.T) {
	s := startSystem(t)
	demo := s.api.login(t, "demo")
	s.orders.stop(t)

	limit, err := time.ParseDuration(rpcTimeout)
	if err != nil {
		t.Fatal(err)
	}
	if took := take(func() { demo.want(t, http.StatusBadGateway, http.MethodGet, "/v1/orders", "") }); took < limit || took > 2*limit {
		t.Errorf("502 after %s, the limit is %s", took, limit)
	}

	result := make(chan answer, 1)
	go func() {
		a, err := demo.call(t.Context(), http.MethodGet, "/v1/orders", "")
		if err != nil {
			t.Error(err)
		}
		result <- a
	}()
	poll(t, "the call in its queue", s.queued("orders.getAll"))
	s.startOrders(t)
	if a := <-result; a.status != http.StatusOK {
		t.Errorf("status %d of a call that waited for its service: %s", a.status, a.body)
	}
}
