package chaos

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
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

// TestLongBrokerKilled repeatedly kills the broker and starts it again.
func TestLongBrokerKilled(t *testing.T) {
	s := suite.StartSystem(t, limitSetting)
	l := startLoad(t, s.API.Login(t, "demo"))
	times := size(1, 5)
	for range times {
		killed, up := killNode(t)
		l.outage(t, killed, up)
	}
	l.finish(t, fmt.Sprintf("the broker is killed and started, %d times", times), ordersDatabase(s.Dir), resumes())
}

// TestLongPersistentRequests kills the broker while requests wait for their service with RPC_PERSISTENT. Their route is not
// idempotent, so the gateway does not send them again: a response shows that the broker kept the request.
func TestLongPersistentRequests(t *testing.T) {
	s := suite.StartSystem(t, "RPC_PERSISTENT=true", "RPC_TIMEOUT=50s")
	demo := s.API.Login(t, "demo")
	const calls = 20
	var ids []string
	for i := range calls {
		placed := demo.Want(t, http.StatusCreated, http.MethodPost, "/v1/orders", orderOf(fmt.Sprintf("persistent-%d", i)))
		ids = append(ids, placed.Text(t, "id"))
	}
	s.Process("orders").Stop(t)
	const queue = "orders.cancel"
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for _, id := range ids {
		waiting.Go(func() {
			r, err := demo.Call(t.Context(), http.MethodPost, "/v1/orders/"+id+"/cancel", "")
			if err != nil || r.Status != http.StatusOK {
				t.Errorf("cancel %s: status %d: %s, %v", id, r.Status, r.Body, err)
			}
		})
	}
	awaittest.Success(t, "the calls in their queue", suite.Holds(queue, calls))
	killNode(t)
	awaittest.Success(t, "the calls in their queue after the crash", suite.Holds(queue, calls))
	s.Start(t, "orders")
}
