package e2e

import (
	"net/http"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// TestBrokerAway kills the broker under a running system. The services report that they are not ready, also one that starts
// meanwhile. The gateway refuses calls at once. All connect once the broker is back.
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
	late := suite.Start(t, "access-control", t.TempDir())
	late.AwaitNotReady(t, "connection refused")
	suite.RestartNode(t)
	late.AwaitReady(t)
	late.Stop(t) // its users and keys are not those of the system
	for _, p := range s.Processes() {
		p.AwaitReady(t)
		if n := p.Metric(t, "messaging_reconnects_total"); n != 2 {
			t.Errorf("%s counts %v reconnects, want one for each of its two connections", p.Service, n)
		}
	}
	s.API.Login(t, "demo")
}
