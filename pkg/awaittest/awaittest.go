// Package awaittest waits in tests for what another goroutine, process or broker does. A test that awaits an event passes
// on a slow machine and continues at once on a fast one, which no sleep does.
//
// [Receive], [Until] and [Success] give up after [Limit] and fail the test with the name of what did not happen. [Within]
// is for time bounds that the code under test promises.
package awaittest

import (
	"context"
	"testing"
	"time"
)

// Limit bounds each wait. It is no promise of the code under test, only the point at which a test stops hanging, so it is
// far longer than any wait on a busy machine.
const Limit = time.Minute

const interval = 10 * time.Millisecond

// Context returns a context for calls that may wait more than once. It ends with the test, or after twice [Limit].
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*Limit)
	t.Cleanup(cancel)
	return ctx
}

// Receive returns the next value of c, or the zero value once c is closed. What names the event that c reports.
func Receive[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	value, inTime := receive(c)
	if !inTime {
		t.Fatalf("%s: not within %s", what, Limit)
	}
	return value
}

func receive[T any](c <-chan T) (value T, inTime bool) {
	limit := time.NewTimer(Limit)
	defer limit.Stop()
	select {
	case value = <-c:
		return value, true
	case <-limit.C:
		return value, false
	}
}

// Until polls condition until it holds. Prefer [Receive] where an event can be received.
func Until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	if !poll(condition) {
		t.Fatalf("%s: not within %s", what, Limit)
	}
}

// Success calls try until it returns nil. The context ends with the wait. A failure shows the last error that try returned
// before that: once the context has ended, try fails because of it.
func Success(t testing.TB, what string, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	defer cancel()
	var last error
	succeeded := poll(func() bool {
		err := try(ctx)
		if err != nil && (ctx.Err() == nil || last == nil) {
			last = err
		}
		return err == nil
	})
	if !succeeded {
		t.Fatalf("%s: not within %s: %v", what, Limit, last)
	}
}

func poll(condition func() bool) bool {
	limit := time.NewTimer(Limit)
	defer limit.Stop()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-limit.C:
			return false
		}
	}
	return true
}
