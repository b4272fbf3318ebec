package service

import (
	"io"
	"sync"
	"time"
)

// maxLogBuffer is how many bytes of log lines wait to be written together.
const maxLogBuffer = 64 << 10

// logBuffer gathers log lines and writes them together: a system call for each line is a good part of what a request costs.
type logBuffer struct {
	w        io.Writer
	interval time.Duration // how long a line waits at most; 0: not at all

	mu    sync.Mutex
	lines []byte
	timer *time.Timer // runs while lines wait; nil before the first
}

// Write takes whole lines. It never fails: nothing can be done about a log that can't be written.
func (b *logBuffer) Write(lines []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := len(b.lines) == 0
	b.lines = append(b.lines, lines...)
	switch {
	case b.interval == 0 || len(b.lines) >= maxLogBuffer:
		b.writeAll()
	case b.timer == nil:
		b.timer = time.AfterFunc(b.interval, b.flush)
	case first:
		b.timer.Reset(b.interval)
	}
	return len(lines), nil
}

// flush writes the lines that wait.
func (b *logBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writeAll()
}

func (b *logBuffer) writeAll() {
	if b.timer != nil {
		b.timer.Stop()
	}
	if len(b.lines) > 0 {
		_, _ = b.w.Write(b.lines)
		b.lines = b.lines[:0]
	}
}
