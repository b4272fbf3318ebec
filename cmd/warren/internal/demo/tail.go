package demo

import (
	"io"
	"strings"
	"sync"
)

// tailLines of a process's output are kept for the error of a process that has failed.
const tailLines = 10

// tail passes what is written to next and keeps the last lines of it.
type tail struct {
	next io.Writer

	mu    sync.Mutex
	lines []string
}

func (t *tail) Write(p []byte) (int, error) {
	t.keep(string(p))
	_, _ = t.next.Write(p) // a process goes on when nobody reads its log
	return len(p), nil
}

func (t *tail) keep(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range strings.Lines(text) {
		t.lines = append(t.lines, line)
	}
	t.lines = t.lines[max(0, len(t.lines)-tailLines):]
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.Join(t.lines, ""))
}
