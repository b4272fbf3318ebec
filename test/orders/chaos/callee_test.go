package chaos

import (
	"testing"
	"time"
)

// TestCalleeDown stops access-control, which the gateway calls for each request. The gateway refuses each call in time, and calls
// succeed once access-control is back.
func TestCalleeDown(t *testing.T) {
	s := suite.StartSystem(t, limitSetting, "GATEWAY_TOKEN_CACHE=0s")
	l := startLoad(t, s.API.Login(t, "demo"))
	stopping := time.Now()
	s.Process("access-control").Stop(t)
	l.settle(t)
	stopped := time.Now()
	wait(t, size(limit+2*time.Second, 20*time.Second))
	slowestRefusal(t, l.between(stopped, time.Now()))
	s.Start(t, "access-control").AwaitReady(t)
	l.outage(t, stopping, time.Now())
	l.finish(t, "access-control is down", ordersDatabase(s.Dir), resumes())
}
