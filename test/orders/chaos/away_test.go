package chaos

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// TestLongBrokerAwayAtStart starts the services before their broker. They wait, report why, and become ready once it is up. The
// short form is TestBrokerComesLater of package e2e.
func TestLongBrokerAwayAtStart(t *testing.T) {
	suite.Node.Kill()
	s := suite.LaunchSystem(t, limitSetting)
	for _, p := range s.Processes() {
		p.AwaitNotReady(t, "connection refused")
	}
	stopped := time.Now()
	suite.RestartNode(t)
	up := nodeLog.AwaitFirst(t, stopped, listening)
	for _, p := range s.Processes() {
		p.AwaitReady(t)
	}
	t.Logf("ready %s after the broker", time.Since(up).Round(time.Millisecond))
	l := startLoad(t, s.API.Login(t, "demo"))
	l.fault(t, up)
	// The first call comes after rabbitmqctl has found the broker running, and after a login.
	l.finish(t, "the broker comes after the services", ordersDatabase(s.Dir), size(system.Patience, 10*time.Second))
}

// What the broker's absence may cost a process. A leak would grow with each of thousands of calls.
const (
	moreGoroutines = 100
	moreMemory     = 32 << 20 // bytes, since the garbage collector returns memory late
)

// TestLongBrokerAway keeps the broker away for minutes. The gateway refuses every call at once, and no process accumulates
// goroutines or memory. The short form is TestBrokerAway of package e2e.
func TestLongBrokerAway(t *testing.T) {
	s := suite.StartSystem(t, limitSetting)
	l := startLoad(t, s.API.Login(t, "demo"))
	killed := time.Now()
	suite.Node.Kill()
	for _, p := range s.Processes() {
		p.AwaitNotReady(t, "broker")
	}
	l.settle(t) // calls in flight wait for their replies until their time limit
	before := usageOf(t, s)
	gone := time.Now()
	away := size(3*time.Second, 2*time.Minute)
	wait(t, away)
	after := usageOf(t, s)
	for i, p := range s.Processes() {
		t.Logf("%s: from %+v to %+v", p.Service, before[i], after[i])
		if after[i].goroutines > before[i].goroutines+moreGoroutines {
			t.Errorf("%s had %v goroutines, and has %v", p.Service, before[i].goroutines, after[i].goroutines)
		}
		if after[i].memory > before[i].memory+moreMemory {
			t.Errorf("%s had %v bytes of memory, and has %v", p.Service, before[i].memory, after[i].memory)
		}
	}
	slowest := slowestRefusal(t, l.between(gone, time.Now()))
	if allowed := size(5*time.Second, time.Second); slowest > allowed {
		t.Errorf("a refusal took %s, want %s at most", slowest, allowed)
	}
	restarted := time.Now()
	suite.RestartNode(t)
	l.outage(t, killed, nodeLog.AwaitFirst(t, restarted, listening))
	fault := fmt.Sprintf("the broker is away for %s (each call refused within %s)", away, slowest.Round(time.Millisecond))
	l.finish(t, fault, ordersDatabase(s.Dir), resumes())
}

// wait keeps the load running for d.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// slowestRefusal checks that all calls failed with 503, and returns the time of the slowest.
func slowestRefusal(t *testing.T, calls []call) time.Duration {
	t.Helper()
	if len(calls) == 0 {
		t.Error("no call in that time")
	}
	var slowest time.Duration
	for _, c := range calls {
		if c.status != http.StatusServiceUnavailable {
			t.Errorf("call %d: status %d, want 503", c.number, c.status)
		}
		slowest = max(slowest, c.ended.Sub(c.began))
	}
	return slowest
}

// usage is what a process holds.
type usage struct{ goroutines, memory float64 }

func usageOf(t *testing.T, s *system.System) []usage {
	t.Helper()
	var all []usage
	for _, p := range s.Processes() {
		all = append(all, usage{p.Metric(t, "go_goroutines"), p.Metric(t, "process_resident_memory_bytes")})
	}
	return all
}
