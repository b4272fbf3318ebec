package process

import (
	"io"
	"strings"
	"sync"
)

// tailBytes is enough for the reason of a failed start and what a program prints after it: RabbitMQ 4 ends with its whole
// configuration and a stack trace.
const tailBytes = 64 << 10

// tail passes all output to next, which may be nil, and keeps the end of it.
type tail struct {
	next io.Writer

	mu   sync.Mutex // guards kept
	kept []byte
}

// Write returns no error, so that a process continues when no reader takes its output.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.kept = append(t.kept, p...)
	t.kept = t.kept[max(0, len(t.kept)-tailBytes):]
	t.mu.Unlock()
	if t.next != nil {
		_, _ = t.next.Write(p)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}
