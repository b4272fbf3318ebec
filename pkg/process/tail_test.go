package process

import (
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	var all strings.Builder
	output := &tail{next: &all}
	const line = "0123456\n"
	for range 1000 {
		_, _ = output.Write([]byte(line))
	}
	_, _ = output.Write([]byte("last\n"))
	if got, want := all.Len(), 1000*len(line)+len("last\n"); got != want {
		t.Errorf("%d bytes were passed on, want %d", got, want)
	}
	got := output.String()
	if len(got) > tailBytes || len(got) < tailBytes/2 || !strings.HasSuffix(got, "\n0123456\nlast") {
		t.Errorf("the tail of %d bytes is %q", len(got), got)
	}
}
