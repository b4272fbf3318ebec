package chaos

import (
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// TestCalleeDown stops access-control, which the gateway calls for each request. The gateway refuses each call in time, and calls
// succeed once access-control is back.
func TestCalleeDown(t *testing.T) {
	settings := []string{limitSetting, "GATEWAY_TOKEN_CACHE=0s"}
	s := suite.StartSystem(t, settings...)
	l := startLoad(t, s.API.Login(t, "demo"))
	stopping := time.Now()
	s.AccessControl.Stop(t)
	l.settle(t)
	stopped := time.Now()
	wait(t, size(limit+2*time.Second, 20*time.Second))
	slowestRefusal(t, l.between(stopped, time.Now()))
	again := suite.Start(t, "access-control", s.Dir, settings...)
	again.AwaitReady(t)
	l.outage(t, stopping, time.Now())
	l.finish(t, "access-control is down", system.OrdersDatabase(s.Dir), resumes())
}
