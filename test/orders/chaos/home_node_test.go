package chaos

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// TestLongHomeNodeDown kills the node that holds the classic queues, while the services are connected to another node of the
// cluster. Calls fail cleanly, and succeed again once the node is back.
func TestLongHomeNodeDown(t *testing.T) {
	c := startCluster(t)
	connected, home := c.Nodes[0], c.Nodes[1]
	// A classic queue lives on the node on which it is declared.
	first := suite.Via(home.Addr()).StartSystem(t, limitSetting)
	first.API.Login(t, "demo").Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
	for _, p := range first.Processes() {
		p.Stop(t)
	}
	s := suite.Via(connected.Addr()).StartSystem(t, limitSetting)
	l := startLoad(t, s.API.Login(t, "demo"))
	killed := time.Now()
	c.kill(home)
	for _, p := range s.Processes() {
		p.AwaitNotReady(t, "") // whatever reason the broker gives
	}
	noticed := time.Now()
	wait(t, size(2*time.Second, 20*time.Second))
	slowest := slowestRefusal(t, l.between(noticed, time.Now()))
	// The first calls wait for up to a second, in case the queues are back soon.
	if allowed := size(limit+grace(), 1500*time.Millisecond); slowest > allowed {
		t.Errorf("a refusal took %s, want %s at most", slowest, allowed)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if err := home.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	c.dead = nil
	l.outage(t, killed, time.Now())
	fault := fmt.Sprintf("the node with the classic queues is down (each call refused within %s)", slowest.Round(time.Millisecond))
	l.finish(t, fault, ordersDatabase(s.Dir), size(system.Patience, 5*time.Second))
}
