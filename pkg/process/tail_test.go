package process

import (
	"io"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	var all strings.Builder
	output := &tail{next: &all}
	const line = "0123456\n"
	const lines = 2 * tailBytes / len(line)
	for range lines {
		_, _ = output.Write([]byte(line))
	}
	_, _ = output.Write([]byte("last\n"))
	if got, want := all.Len(), lines*len(line)+len("last\n"); got != want {
		t.Errorf("%d bytes were passed on, want %d", got, want)
	}
	got := output.String()
	if len(got) > tailBytes || len(got) < tailBytes/2 || !strings.HasSuffix(got, "\n0123456\nlast") {
		t.Errorf("the tail of %d bytes is %q", len(got), got)
	}
}

// TestTailKeepsTheReason has a program print its reason to end, and then a lot, as RabbitMQ 4 does.
func TestTailKeepsTheReason(t *testing.T) {
	const reason = "channel_max must be a number"
	output := &tail{}
	_, _ = io.WriteString(output, reason+strings.Repeat("\nin function rabbit:start/2", 1000))
	if !strings.HasPrefix(output.String(), reason) {
		t.Errorf("the tail of %d bytes does not have the reason", len(output.String()))
	}
}
