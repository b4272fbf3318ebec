package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"example.com/warren/test/internal/system"
)

// TestTwoGateways spreads concurrent calls over two named gateways. Each call must get its own response.
func TestTwoGateways(t *testing.T) {
	s := suite.StartSystem(t)
	demo := s.API.Login(t, "demo")
	users := []system.API{}
	for _, name := range []string{"a", "b"} {
		p, u := suite.StartGateway(t, s.Dir, "RPC_INSTANCE="+name)
		p.AwaitReady(t)
		u.Token = demo.Token
		users = append(users, u)
	}
	// One order for each quantity, so that responses can be told apart.
	ids := make([]string, 20)
	for i := range ids {
		body := fmt.Sprintf(`{"currency":"EUR","items":[{"sku":"teapot","quantity":%d}]}`, i+1)
		ids[i] = demo.Want(t, http.StatusCreated, http.MethodPost, "/v1/orders", body).Text(t, "id")
	}
	const calls, callers = 1000, 50
	work := make(chan int)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := range work {
				id := ids[i%len(ids)]
				r, err := users[i%2].Call(t.Context(), http.MethodGet, "/v1/orders/"+id, "")
				if err != nil {
					t.Error(err)
					continue
				}
				var order struct{ ID string }
				if err := json.Unmarshal(r.Body, &order); err != nil || r.Status != http.StatusOK || order.ID != id {
					t.Errorf("call %d asked for order %s: status %d, %s", i, id, r.Status, r.Body)
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
