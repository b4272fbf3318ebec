package chaos

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/test/internal/system"
)

// TestLongBlackHole makes the network between the services and the broker drop everything: no byte passes, and no connection
// ends. The services notice it within two heartbeats, and every call ends meanwhile.
func TestLongBlackHole(t *testing.T) {
	const heartbeat = 2 * time.Second
	network := rabbitmqtest.StartProxy(t, suite.Node.Addr())
	s := suite.Via(network.Addr()).StartSystem(t, limitSetting, "BROKER_HEARTBEAT="+heartbeat.String())
	l := startLoad(t, s.API.Login(t, "demo"))
	times := size(1, 5)
	var slowest time.Duration
	for range times {
		began := time.Now()
		network.Swallow()
		for _, p := range s.Processes() {
			slowest = max(slowest, awaitState(t, p, began, http.StatusServiceUnavailable, "broker"))
		}
		noticed := time.Now()
		l.settle(t)
		wait(t, size(time.Second, 3*heartbeat))
		slowestRefusal(t, l.between(noticed, time.Now()))
		network.Pass()
		l.outage(t, began, time.Now())
	}
	if allowed := 2*heartbeat + size(30*time.Second, 500*time.Millisecond); slowest > allowed {
		t.Errorf("noticed after %s, want two heartbeats of %s", slowest, heartbeat)
	}
	fault := fmt.Sprintf("the network swallows everything, %d times (noticed within %s)", times, slowest.Round(10*time.Millisecond))
	// A dial into the black hole takes five seconds to time out.
	l.finish(t, fault, ordersDatabase(s.Dir), size(system.Patience, 8*time.Second))
}

// awaitState waits until /readyz of p responds with status and why, and returns the time since then.
func awaitState(t *testing.T, p *system.Process, since time.Time, status int, why string) time.Duration {
	t.Helper()
	awaittest.Success(t, fmt.Sprintf("status %d of %s", status, p.Service), func(ctx context.Context) error {
		return p.Ready(ctx, status, why)
	})
	return time.Since(since)
}
