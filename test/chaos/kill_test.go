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

// killNode ends the node as a crash would and starts it again. It returns when the node was killed and when it listened
// again.
func killNode(t *testing.T) (killed, up time.Time) {
	t.Helper()
	killed = time.Now()
	suite.Node.Kill()
	suite.RestartNode(t)
	return killed, nodeLog.AwaitFirst(t, killed, listening)
}

// TestBrokerKilled repeatedly kills the broker and starts it again.
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

// TestLongPersistentRequests kills the broker while requests wait for their service with RPC_PERSISTENT. The requests have no
// Idempotency-Key, so the gateway does not resend them: a response shows that the broker kept the request.
func TestLongPersistentRequests(t *testing.T) {
	s := suite.StartSystem(t, "RPC_PERSISTENT=true", "RPC_TIMEOUT=50s")
	demo := s.API.Login(t, "demo")
	s.Orders.Stop(t)
	const calls = 20
	queue := "orders.create"
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for i := range calls {
		waiting.Go(func() {
			name := fmt.Sprintf("persistent-%d", i)
			var c call
			r, err := demo.Call(t.Context(), http.MethodPost, "/v1/orders", orderOf(name))
			if c.judge(r, err, http.StatusCreated, "", name); c.outcome != answered {
				t.Errorf("call %d: status %d: %s, %v", i, r.Status, r.Body, c.err)
			}
		})
	}
	awaittest.Success(t, "the calls in their queue", suite.Holds(queue, calls))
	killNode(t)
	awaittest.Success(t, "the calls in their queue after the crash", suite.Holds(queue, calls))
	s.StartOrders(t)
	waiting.Wait()
	for name, ids := range readOrders(t, system.OrdersDatabase(s.Dir), "persistent") {
		if len(ids) != 1 {
			t.Errorf("%s has orders %q", name, ids)
		}
	}
}
