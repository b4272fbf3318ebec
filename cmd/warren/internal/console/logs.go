package console

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits of the log lines that are kept.
const (
	maxLines   = 10_000
	maxLine    = 8 << 10
	maxLogSize = 8 << 20
)

// logLine is a line of a service's log in slog's text form.
type logLine struct {
	trace traceID
	text  string
}

// logBuffer keeps the last log lines that belong to a trace.
type logBuffer struct {
	mu    sync.Mutex // guards the fields below
	lines []logLine  // a ring, once it is full
	next  int        // index of the oldest in a full ring
	size  int        // bytes of text
}

func newLogBuffer() *logBuffer { return &logBuffer{} }

// Log returns a writer for the log lines of services, in slog's text form. Those of traces that the console keeps are shown
// with the trace. Each Write must have whole lines.
func (c *Console) Log() LogWriter { return LogWriter{c} }

// LogWriter takes log lines.
type LogWriter struct{ console *Console }

// Write implements io.Writer.
func (w LogWriter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		_, id, found := bytes.Cut(line, []byte(" trace_id="))
		var trace traceID
		if n, err := hex.Decode(trace[:], id[:min(len(id), 2*len(trace))]); !found || err != nil || n != len(trace) {
			continue
		}
		if len(line) <= maxLine && w.console.store.keeps(trace) {
			w.console.logs.add(logLine{trace, string(bytes.TrimSpace(line))})
		}
	}
	return len(p), nil
}

func (b *logBuffer) add(l logLine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size += len(l.text)
	if len(b.lines) < maxLines && b.size <= maxLogSize {
		b.lines = append(b.lines, l)
		return
	}
	if b.next >= len(b.lines) {
		b.next = 0
	}
	b.size -= len(b.lines[b.next].text)
	b.lines[b.next] = l
	b.next++
}

// entry is a log line as the page shows it.
type entry struct {
	Time       float64           `json:"time"`
	Service    string            `json:"service"`
	Level      string            `json:"level"`
	Message    string            `json:"message"`
	Attributes map[string]string `json:"attributes"`
}

// of returns the lines of a trace, oldest first.
func (b *logBuffer) of(id traceID) []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []entry{}
	for i := range b.lines {
		if l := b.lines[(b.next+i)%len(b.lines)]; l.trace == id {
			out = append(out, parse(l.text))
		}
	}
	return out
}

// parse reads what slog.TextHandler has written.
func parse(line string) entry {
	e := entry{Attributes: map[string]string{}}
	for line != "" {
		name, rest, _ := strings.Cut(line, "=")
		value, after, _ := strings.Cut(rest, " ")
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			value, _ = strconv.Unquote(quoted)
			after = strings.TrimPrefix(rest[len(quoted):], " ")
		}
		line = after
		switch name {
		case "time":
			t, _ := time.Parse(time.RFC3339, value) // zero if it is no time
			e.Time = milliseconds(t.UnixNano())
		case "level":
			e.Level = value
		case "msg":
			e.Message = value
		case "service":
			e.Service = value
		default:
			e.Attributes[name] = value
		}
	}
	return e
}
