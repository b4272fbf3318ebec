package awaittest

import (
	"sync/atomic"
	"time"
)

// Deadline measures how late an event is that this process has to bring about within a limit. It measures from the moment
// at which a timer of this process fires, not from the clock's: a machine that starves the process delays the timer and
// the event alike, and a late timer says nothing about the code under test.
type Deadline struct {
	timer  *time.Timer
	passed atomic.Pointer[time.Time]
}

// Within returns a deadline that passes after limit.
func Within(limit time.Duration) *Deadline {
	d := &Deadline{}
	d.timer = time.AfterFunc(limit, func() {
		now := time.Now()
		d.passed.Store(&now)
	})
	return d
}

// Late ends the measurement and returns how long ago the deadline passed, or 0 if it has not.
func (d *Deadline) Late() time.Duration {
	d.timer.Stop()
	passed := d.passed.Load()
	if passed == nil {
		return 0
	}
	return time.Since(*passed)
}
