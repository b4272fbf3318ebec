package chaos

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
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

// TestLongRequestQueuesDown kills the node that holds the request queues alone: the gateway is connected to another node, which
// holds its callback queue. The broker drops requests silently, so the calls of the first moments time out. Later ones fail at
// once.
func TestLongRequestQueuesDown(t *testing.T) {
	c := startCluster(t)
	connected, home := c.Nodes[0], c.Nodes[1]
	first := suite.Via(home.Addr()).StartSystem(t, limitSetting)
	first.API.Login(t, "demo").Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
	for _, p := range first.Processes() {
		p.Stop(t)
	}
	if _, err := home.Ctl(t.Context(), "delete_queue", callbackQueue); err != nil {
		t.Fatal(err)
	}
	api := suite.Via(connected.Addr()).StartSystem(t, limitSetting).API.Login(t, "demo")
	api.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
	c.kill(home)
	call := func() (r system.Response, took time.Duration) {
		began := time.Now()
		r, err := api.Call(t.Context(), http.MethodGet, "/v1/orders", "")
		if err != nil {
			t.Fatal(err)
		}
		return r, time.Since(began)
	}
	awaittest.Until(t, "a refusal", func() bool {
		r, took := call()
		return r.Status == http.StatusServiceUnavailable && r.Header.Get("Retry-After") != "" && took < time.Second
	})
	for range 20 {
		if r, took := call(); r.Status != http.StatusServiceUnavailable || took > time.Second {
			t.Errorf("status %d after %s, want 503 at once", r.Status, took)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if err := home.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	c.dead = nil
	awaittest.Until(t, "a response", func() bool {
		r, _ := call()
		return r.Status == http.StatusOK
	})
}
