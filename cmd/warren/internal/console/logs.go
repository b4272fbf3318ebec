package console

import (
	"bytes"
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
	trace string
	text  string
}

// logBuffer keeps the last log lines that belong to a trace.
type logBuffer struct {
	mu    sync.Mutex // guards the fields below
	lines []logLine  // oldest first
	size  int        // bytes of text
}

// Log returns a writer for the log lines of services, in slog's text form. Those of traces that the console keeps are shown
// with the trace. Each Write must have whole lines.
func (c *Console) Log() LogWriter { return LogWriter{c} }

// LogWriter takes log lines.
type LogWriter struct{ console *Console }

// Write implements io.Writer.
func (w LogWriter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		_, id, found := bytes.Cut(line, []byte(" trace_id="))
		trace := string(id[:min(len(id), 2*traceIDSize)])
		if found && len(line) <= maxLine && w.console.store.keeps(trace) {
			w.console.logs.add(logLine{trace, string(bytes.TrimSpace(line))})
		}
	}
	return len(p), nil
}

func (b *logBuffer) add(l logLine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, l)
	b.size += len(l.text)
	for len(b.lines) > maxLines || b.size > maxLogSize {
		b.size -= len(b.lines[0].text)
		b.lines[0] = logLine{}
		b.lines = b.lines[1:]
	}
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
func (b *logBuffer) of(id string) []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []entry{}
	for _, l := range b.lines {
		if l.trace == id {
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
