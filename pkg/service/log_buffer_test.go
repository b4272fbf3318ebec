package service

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writes records each write.
type writes struct {
	mu   sync.Mutex
	list []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, string(p))
	return len(p), nil
}

// take returns the writes since the last call.
func (w *writes) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

func TestLogBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got writes
		expect := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, got.take()); diff != "" {
				t.Errorf("writes %s (-want +got):\n%s", when, diff)
			}
		}
		b := &logBuffer{w: &got, interval: time.Second}
		write := func(line string) { _, _ = b.Write([]byte(line)) }

		for range 2 { // the timer starts again
			write("a\n")
			write("b\n")
			expect("before the interval")
			<-time.After(time.Second)
			expect("after the interval", "a\nb\n")
		}
		write("a\n")
		b.flush()
		expect("after a flush", "a\n")
		<-time.After(time.Minute)
		expect("when nothing waits")

		half := strings.Repeat("x", maxLogBuffer/2)
		write(half)
		expect("before it is full")
		write(half)
		expect("when it is full", half+half)

		b = &logBuffer{w: &got}
		write("a\n")
		write("b\n")
		expect("without an interval", "a\n", "b\n")
	})
}

func TestWarningsDoNotWait(t *testing.T) {
	var out bytes.Buffer
	logger, flush := newLogger(&out, "orders", &Config{LogLevel: "info", LogFormat: "json", LogFlushInterval: time.Hour})
	logger.Info("first")
	if out.Len() > 0 {
		t.Errorf("an entry did not wait: %s", out.String())
	}
	logger.Warn("second")
	if lines := strings.Count(out.String(), "\n"); lines != 2 {
		t.Errorf("%d lines after a warning, want it and the one before:\n%s", lines, out.String())
	}
	logger.Info("third")
	flush()
	if lines := strings.Count(out.String(), "\n"); lines != 3 {
		t.Errorf("%d lines after the end, want 3:\n%s", lines, out.String())
	}
}
