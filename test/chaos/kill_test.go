package chaos

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// killNode ends the node as a crash would and starts it again. It returns when it was killed and when it took connections.
func killNode(t *testing.T) (killed, up time.Time) {
	t.Helper()
	killed = time.Now()
	suite.Node.Kill()
	suite.RestartNode(t)
	return killed, nodeLog.AwaitFirst(t, killed, listening)
}

// TestBrokerKilled kills the broker, again and again.
func TestBrokerKilled(t *testing.T) {
	s := suite.StartSystem(t, limitSetting)
	l := startLoad(t, s.API.Login(t, "demo"))
	times := size(1, 5)
	for range times {
		killed, up := killNode(t)
		l.outage(t, killed, up)
	}
	l.finish(t, fmt.Sprintf("the broker is killed and started, %d times", times), system.OrdersDatabase(s.Dir), resumes())
}

// TestPersistentRequests: with RPC_PERSISTENT, requests that wait for their service outlive the broker's death. They have
// no Idempotency-Key, so that the gateway does not send them again: what is answered was kept by the broker.
func TestPersistentRequests(t *testing.T) {
	s := suite.StartSystem(t, "RPC_PERSISTENT=true", "RPC_TIMEOUT=50s")
	demo := s.API.Login(t, "demo")
	s.Orders.Stop(t)
	const calls = 20
	queue := "orders.create"
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for i := range calls {
		waiting.Go(func() {
			sku := fmt.Sprintf("persistent-%d", i)
			body := fmt.Sprintf(`{"currency":"EUR","items":[{"sku":%q,"quantity":1,"unit_price":1}]}`, sku)
			var c call
			a, err := demo.Call(t.Context(), http.MethodPost, "/v1/orders", body)
			if c.judge(a, err, http.StatusCreated, "", sku); c.outcome != answered {
				t.Errorf("call %d: status %d: %s, %v", i, a.Status, a.Body, c.err)
			}
		})
	}
	awaittest.Success(t, "the calls in their queue", suite.Holds(queue, calls))
	killNode(t)
	awaittest.Success(t, "the calls in their queue after the broker's death", suite.Holds(queue, calls))
	s.StartOrders(t)
	waiting.Wait()
	for sku, ids := range readOrders(t, system.OrdersDatabase(s.Dir), "persistent") {
		if len(ids) != 1 {
			t.Errorf("%s has orders %q", sku, ids)
		}
	}
}
