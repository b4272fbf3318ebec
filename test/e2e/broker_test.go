package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// TestBrokerAway kills the broker under a running system. The services report that they are not ready, the gateway refuses
// calls at once, and all reconnect once the broker is back.
func TestBrokerAway(t *testing.T) {
	s := suite.StartSystem(t)
	demo := s.API.Login(t, "demo")
	suite.Node.Kill()
	for _, p := range s.Processes() {
		p.AwaitNotReady(t, "broker")
	}
	took := system.Take(func() { demo.Want(t, http.StatusServiceUnavailable, http.MethodGet, "/v1/orders", "") })
	if took > time.Second {
		t.Errorf("503 after %s, want at once", took)
	}
	suite.RestartNode(t)
	for _, p := range s.Processes() {
		p.AwaitReady(t)
		if n := p.Metric(t, "broker_reconnects_total"); n != 2 {
			t.Errorf("%s counts %v reconnects, want one for each of its two connections", p.Service, n)
		}
	}
	demo.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
}

// TestBrokerComesLater starts the services while the broker is away.
func TestBrokerComesLater(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), system.Patience)
	defer cancel()
	if err := suite.Node.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := suite.Start(t, "orders", dir)
	p.AwaitNotReady(t, "connection refused")
	suite.RestartNode(t)
	p.AwaitReady(t)
}
