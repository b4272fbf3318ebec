// Package brokerlog records what a RabbitMQ node logs, so that tests and benchmarks learn what happened in the broker and
// when. rabbitmqctl tells neither precisely: it takes a second to start and another to end.
package brokerlog

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
)

// Log records each line with its time. Use it as the output of a node; the zero value is ready.
type Log struct {
	mu    sync.Mutex
	lines []line
	rest  []byte // of a line that is not complete
}

type line struct {
	at   time.Time
	text string
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		text, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.lines = append(l.lines, line{time.Now(), string(text)})
		l.rest = rest
	}
}

// Count returns the number of lines that match pattern.
func (l *Log) Count(pattern *regexp.Regexp) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, each := range l.lines {
		if pattern.MatchString(each.text) {
			n++
		}
	}
	return n
}

// AwaitFirst waits for a line that contains text and was written after since, and returns its time.
func (l *Log) AwaitFirst(t *testing.T, since time.Time, text string) time.Time {
	t.Helper()
	var at time.Time
	awaittest.Success(t, fmt.Sprintf("%q in the broker's log", text), func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, each := range l.lines {
			if each.at.After(since) && strings.Contains(each.text, text) {
				at = each.at
				return nil
			}
		}
		return fmt.Errorf("%d lines without it", len(l.lines))
	})
	return at
}
