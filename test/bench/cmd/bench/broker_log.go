package main

import (
	"bytes"
	"regexp"
	"sync"
)

// closes are the lines of the broker's log that tell of a connection or channel that it closed, or lost.
var closes = regexp.MustCompile(`\[(error|warning)\].*(AMQP connection|[Cc]hannel error|channel exception)`)

// brokerLog counts them.
type brokerLog struct {
	mu     sync.Mutex
	rest   []byte // of a line
	closed int
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
		if closes.Match(line) {
			l.closed++
		}
		l.rest = rest
	}
}

func (l *brokerLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}
