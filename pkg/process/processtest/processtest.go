// Package processtest looks for processes that a test should not have left behind. It needs Linux's /proc; elsewhere it
// finds none.
package processtest

import (
	"context"
	"testing"
	"time"
)

// patience is what children of a process that was stopped get to end by themselves, a moment after it.
const patience = 10 * time.Second

// AwaitNone fails the test if a process with mark in its command line or its environment stays. Erlang's epmd is left out:
// it is shared by all nodes of a machine and outlives them.
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
			t.Errorf("processes left: %q", left)
			return
		}
	}
}
