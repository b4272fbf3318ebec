package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"example.com/warren/test/internal/system"
)

// TestSecondGateway starts a second gateway without RPC_INSTANCE. It must not consume the first one's replies.
func TestSecondGateway(t *testing.T) {
	s := suite.StartSystem(t)
	second, _ := suite.StartGateway(t, s.Dir)
	if second.Wait(t) == nil {
		t.Error("a second gateway on the same callback queue started")
	}
	if out := second.Output(); !strings.Contains(out, "RPC_INSTANCE") {
		t.Errorf("the error does not say what to set:\n%s", out)
	}
	s.API.Login(t, "demo").Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
}

// TestInstanceOfTheHost runs gateways that are named like their host, as in the images: one has its own callback queue
// beside that of an unnamed gateway, and the same queue again after a crash. A second one on the host is refused.
func TestInstanceOfTheHost(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	s := suite.StartSystem(t)
	for range 2 {
		named, api := suite.StartGateway(t, s.Dir, "RPC_INSTANCE=hostname")
		named.AwaitReady(t)
		if _, err := suite.Messages(t.Context(), "gateway.rpc.response."+host); err != nil {
			t.Error(err)
		}
		second, _ := suite.StartGateway(t, s.Dir, "RPC_INSTANCE=hostname")
		if second.Wait(t) == nil || !strings.Contains(second.Output(), "RPC_INSTANCE") {
			t.Errorf("a second gateway named like the host: %s", second.Output())
		}
		for _, api := range []system.API{s.API, api} {
			api.Login(t, "demo").Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
		}
		named.Kill()
	}
}

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
