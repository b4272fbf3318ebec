package chaos

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
)

// What the node says of itself, in RabbitMQ 3.10 and 4.
const (
	listening    = "started TCP listener on"
	alarmCleared = "resource limit alarm cleared"
)

// brokerLog is what the node writes. It tells when something happened in the broker, which rabbitmqctl, with a second to
// start and another to end, does not.
type brokerLog struct {
	mu    sync.Mutex
	lines []logLine
	rest  []byte
}

type logLine struct {
	at   time.Time
	text string
}

// Write implements io.Writer.
func (l *brokerLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.lines = append(l.lines, logLine{time.Now(), string(line)})
		l.rest = rest
	}
}

// firstSince waits for a line that contains text, and returns when it was written.
func (l *brokerLog) firstSince(t *testing.T, since time.Time, text string) time.Time {
	t.Helper()
	var at time.Time
	awaittest.Success(t, fmt.Sprintf("the broker's log has %q", text), func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, line := range l.lines {
			if line.at.After(since) && strings.Contains(line.text, text) {
				at = line.at
				return nil
			}
		}
		return fmt.Errorf("%d lines without it", len(l.lines))
	})
	return at
}
