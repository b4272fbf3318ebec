package rabbitmqtest

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"example.com/warren/pkg/process"
)

// completion is part of "Starting broker... completed with 3 plugins.", which each version prints on standard output when its
// start is complete. Its listeners open earlier.
const completion = " completed with "

// startup passes on what a server prints, and notices that its start is complete. Asking rabbitmqctl would take a
// second of processor time.
type startup struct {
	next     io.Writer // may be nil
	printed  []byte    // until complete; used only by the goroutine that copies the output
	complete chan struct{}
}

func newStartup(next io.Writer) *startup { return &startup{next: next, complete: make(chan struct{})} }

// Write implements io.Writer.
func (s *startup) Write(p []byte) (int, error) {
	s.notice(p)
	if s.next == nil {
		return len(p), nil
	}
	return s.next.Write(p)
}

func (s *startup) notice(p []byte) {
	select {
	case <-s.complete:
		return
	default:
	}
	s.printed = append(s.printed, p...)
	if bytes.Contains(s.printed, []byte(completion)) {
		s.printed = nil
		close(s.complete)
	}
}

// await returns once the start is complete.
func (s *startup) await(ctx context.Context, server *process.Process) error {
	select {
	case <-s.complete:
		return nil
	case <-server.Done():
		return errEnded
	case <-ctx.Done():
		return fmt.Errorf("await the end of the start: %w", ctx.Err())
	}
}
