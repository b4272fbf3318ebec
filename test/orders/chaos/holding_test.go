package chaos

import (
	"context"
	"fmt"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// holding is what a process holds at one moment.
type holding struct{ goroutines, files float64 }

func holdingOf(t *testing.T, p *system.Process) holding {
	t.Helper()
	return holding{p.Metric(t, "go_goroutines"), p.Metric(t, "process_open_fds")}
}

// moreHeld is how much the connections of other clients may add.
const moreHeld = 40

// awaitHolding waits until a process holds no more than it did before.
func awaitHolding(t *testing.T, p *system.Process, before holding) {
	t.Helper()
	var now holding
	awaittest.Success(t, "goroutines and files released", func(context.Context) error {
		now = holdingOf(t, p)
		if now.goroutines > before.goroutines+moreHeld || now.files > before.files+moreHeld {
			return fmt.Errorf("%s holds %+v, and held %+v before", p.Service, now, before)
		}
		return nil
	})
	t.Logf("%s held %+v before, and %+v after", p.Service, before, now)
}
