package rabbitmqnode

import (
	"io"
	"strings"
	"sync"
)

// tailBytes of a server's output are kept for the error of a start that failed.
const tailBytes = 4 << 10

// tail passes what is written to next, which may be nil, and keeps the end of it.
type tail struct {
	next io.Writer

	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.kept = append(t.kept, p...)
	t.kept = t.kept[max(0, len(t.kept)-tailBytes):]
	t.mu.Unlock()
	if t.next == nil {
		return len(p), nil
	}
	return t.next.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}
