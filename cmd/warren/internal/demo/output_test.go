package demo

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// testTimeout bounds what a test waits for. A RabbitMQ node starts in seconds, and was seen to take a minute on a busy machine.
const testTimeout = 5 * time.Minute

// output collects what a demo prints.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed at the next write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	text, _ := o.snapshot()
	return text
}

func (o *output) snapshot() (string, chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// await waits until part was printed and returns all that was printed so far. It fails when ended is closed before.
func (o *output) await(t *testing.T, part string, ended <-chan struct{}) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	for {
		text, changed := o.snapshot()
		if strings.Contains(text, part) {
			return text
		}
		select {
		case <-changed:
		case <-ended:
			t.Fatalf("ended without printing %q:\n%s", part, o)
		case <-ctx.Done():
			t.Fatalf("never printed %q:\n%s", part, o)
		}
	}
}
