package brokerlog_test

import (
	"io"
	"regexp"
	"testing"
	"time"

	"example.com/warren/test/internal/brokerlog"
)

func TestLog(t *testing.T) {
	var log brokerlog.Log
	write := func(text string) {
		t.Helper()
		if _, err := io.WriteString(&log, text); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	write("started\nalarm set\nalarm cle")
	alarm := regexp.MustCompile(`^alarm`)
	if n := log.Count(alarm); n != 1 {
		t.Errorf("%d lines match, want 1 while the other is not complete", n)
	}
	write("ared\n")
	if n := log.Count(alarm); n != 2 {
		t.Errorf("%d lines match, want 2", n)
	}
	first := log.AwaitFirst(t, began, "alarm")
	if next := log.AwaitFirst(t, first, "alarm"); !next.After(first) {
		t.Errorf("the next line is of %s, want one after %s", next, first)
	}
}
