package servicetest

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"example.com/warren/pkg/awaittest"
)

// Log keeps what a service prints. It may be read while the service runs. The zero value is empty.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends p.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns everything that was printed.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Entries returns the JSON entries whose message is message.
func (l *Log) Entries(message string) []map[string]any {
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		entry := map[string]any{}
		if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

// Await returns the first entry whose message is message, once there is one.
func (l *Log) Await(t testing.TB, message string) map[string]any {
	t.Helper()
	var found []map[string]any
	awaittest.Until(t, "log entry "+message, func() bool {
		found = l.Entries(message)
		return len(found) > 0
	})
	return found[0]
}
