// Package processtest finds processes that a test has left running. It reads Linux's /proc; on other systems it finds
// none.
package processtest

import (
	"context"
	"testing"
	"time"
)

// patience bounds the time in which the children of a stopped process end by themselves. On a busy machine it takes seconds.
const patience = time.Minute

// AwaitNone fails the test if a process with mark in its command line or environment keeps running. It ignores Erlang's
// epmd, which all nodes of a machine share and which outlives them.
func AwaitNone(t *testing.T, mark string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		left := CommandLines(t, mark)
		if len(left) == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Errorf("processes still running: %q", left)
			return
		}
	}
}
