package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestSecondGateway: one without a name of its own must not take the replies of the first.
func TestSecondGateway(t *testing.T) {
	s := startSystem(t)
	second, _ := startGateway(t, s.dir)
	<-second.done
	if second.err == nil {
		t.Error("a second gateway on the same callback queue started")
	}
	if out := second.output.String(); !strings.Contains(out, "GATEWAY_INSTANCE") {
		t.Errorf("the error does not say what to set:\n%s", out)
	}
	s.api.login(t, "demo").want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
}

// TestTwoGateways spreads concurrent calls over two named gateways: each must get its own answer.
func TestTwoGateways(t *testing.T) {
	s := startSystem(t)
	demo := s.api.login(t, "demo")
	users := []api{}
	for _, name := range []string{"a", "b"} {
		p, u := startGateway(t, s.dir, "GATEWAY_INSTANCE="+name)
		p.awaitReady(t)
		u.token = demo.token
		users = append(users, u)
	}
	// Orders that can be told apart: one for each quantity.
	ids := make([]string, 20)
	for i := range ids {
		body := fmt.Sprintf(`{"currency":"EUR","items":[{"sku":"tea-500","quantity":%d,"unit_price":1}]}`, i+1)
		ids[i] = demo.want(t, http.StatusCreated, http.MethodPost, "/v1/orders", body).text(t, "id")
	}
	const calls, callers = 1000, 50
	work := make(chan int)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := range work {
				id := ids[i%len(ids)]
				a, err := users[i%2].call(t.Context(), http.MethodGet, "/v1/orders/"+id, "")
				if err != nil {
					t.Error(err)
					continue
				}
				var order struct{ ID string }
				if err := json.Unmarshal(a.body, &order); err != nil || a.status != http.StatusOK || order.ID != id {
					t.Errorf("call %d asked for order %s: status %d, %s", i, id, a.status, a.body)
				}
			}
		})
	}
	for i := range calls {
		work <- i
	}
	close(work)
	wg.Wait()
}
