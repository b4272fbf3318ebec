package rabbitmqtest

import (
	"bytes"
	"io"
	"testing"
)

// TestStartup: the end of a start is noticed wherever the output is cut, and the output is passed on as it is.
func TestStartup(t *testing.T) {
	const output = "  Starting broker... completed with 3 plugins.\n"
	for cut := range output {
		var passed bytes.Buffer
		s := newStartup(&passed)
		for _, part := range []string{output[:cut], output[cut:], "more"} {
			if _, err := io.WriteString(s, part); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-s.complete:
		default:
			t.Errorf("cut after %d bytes: the start is not complete", cut)
		}
		if got, want := passed.String(), output+"more"; got != want {
			t.Errorf("cut after %d bytes: passed on %q, want %q", cut, got, want)
		}
	}
	s := newStartup(nil)
	if _, err := io.WriteString(s, "  Starting broker..."); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.complete:
		t.Error("complete before the line says so")
	default:
	}
}
