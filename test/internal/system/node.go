package system

import (
	"context"
	"testing"
	"time"
)

// nodeTimeout bounds each start of a node and each run of rabbitmqctl. Both take seconds on an idle machine, and were seen
// to take more than 30 s on a busy one. Tests promise nothing about them.
const nodeTimeout = 4 * time.Minute

// RestartNode starts the node after a stop or a kill.
func (s *Suite) RestartNode(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), nodeTimeout)
	defer cancel()
	if err := s.Node.Restart(ctx); err != nil {
		t.Fatal(err)
	}
}

// Ctl runs rabbitmqctl against the node and returns its output. It works after the end of the test, too.
func (s *Suite) Ctl(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), nodeTimeout)
	defer cancel()
	out, err := s.Node.Ctl(ctx, args...)
	if err != nil {
		t.Error(err)
	}
	return out
}
