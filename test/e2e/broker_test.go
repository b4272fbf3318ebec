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
	s.API.Login(t, "demo")
	suite.Node.Kill()
	for _, p := range s.Processes() {
		p.AwaitNotReady(t, "broker")
	}
	took := system.Take(func() { s.API.Want(t, http.StatusServiceUnavailable, http.MethodPost, "/v1/login", "{}") })
	if took > time.Second {
		t.Errorf("503 after %s, want at once", took)
	}
	suite.RestartNode(t)
	for _, p := range s.Processes() {
		p.AwaitReady(t)
		if n := p.Metric(t, "messaging_reconnects_total"); n != 2 {
			t.Errorf("%s counts %v reconnects, want one for each of its two connections", p.Service, n)
		}
	}
	s.API.Login(t, "demo")
}

// TestBrokerComesLater starts a service while the broker is away.
func TestBrokerComesLater(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), system.Patience)
	defer cancel()
	if err := suite.Node.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	p := suite.Start(t, "access-control", t.TempDir())
	p.AwaitNotReady(t, "connection refused")
	suite.RestartNode(t)
	p.AwaitReady(t)
}
