package chaos

import (
	"fmt"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// resumes returns the promise: how long after a fault calls succeed again at the latest. The short tests allow for a busy
// machine.
func resumes() time.Duration { return size(system.Patience, 2*time.Second) }

// TestConnectionsClosed has the broker close all its connections repeatedly.
func TestConnectionsClosed(t *testing.T) {
	s := suite.StartSystem(t, limitSetting)
	l := startLoad(t, s.API.Login(t, "demo"))
	times := size(2, 20)
	for i := range times {
		reason := fmt.Sprintf("closed for the test, %d", i)
		began := time.Now()
		suite.Ctl(t, "close_all_connections", reason)
		l.outage(t, began, nodeLog.AwaitFirst(t, began, reason))
		for _, p := range s.Processes() {
			p.AwaitReady(t) // also those that the load does not need at once
		}
	}
	l.finish(t, fmt.Sprintf("the broker closes all connections, %d times", times), ordersDatabase(s.Dir), resumes())
	for _, p := range s.Processes() {
		if n := p.Metric(t, "messaging_reconnects_total"); n < float64(2*times) {
			t.Errorf("%s counts %v reconnects, but each of its two connections was closed %d times", p.Service, n, times)
		}
	}
}
