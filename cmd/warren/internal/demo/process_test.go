package demo

import (
	"os"
	"strings"
	"testing"
	"time"
)

// startRole starts this binary as a process that behaves as role says.
func startRole(t *testing.T, role string) (*process, *output) {
	t.Helper()
	logs := newOutput()
	p, err := startProcess("orders", os.Args[0], []string{roleVariable + "=" + role, noExitDelay}, logs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p, logs
}

func TestProcessFails(t *testing.T) {
	p, logs := startRole(t, "crash")
	err := p.err()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"orders", "exit status 3", "cannot go on"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not contain %q", err, part)
		}
	}
	if !strings.Contains(logs.String(), "cannot go on") {
		t.Errorf("log = %q, want what the process printed", logs)
	}
}

func TestProcessStops(t *testing.T) {
	p, logs := startRole(t, "obey")
	logs.await(t, "starting", p.ended())
	p.stop()
	if err := p.err(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(logs.String(), "stopping") {
		t.Errorf("log = %q, want that of an orderly stop", logs)
	}
}

func TestProcessIsKilled(t *testing.T) {
	p, logs := startRole(t, "ignore")
	logs.await(t, "starting", p.ended())
	p.killDelay = time.Millisecond
	p.stop()
	if err := p.err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("error = %v, want that it was killed", err)
	}
}

func TestProcessNotice(t *testing.T) {
	p, _ := startRole(t, "crash")
	if got, want := p.notice(), roleVariable+"=crash "+noExitDelay+" "+quote(os.Args[0]); !strings.Contains(got, want) {
		t.Errorf("notice %q does not contain %q", got, want)
	}
}

func TestProcessMissing(t *testing.T) {
	_, err := startProcess("orders", "/nowhere/orders", nil, newOutput())
	if err == nil || !strings.Contains(err.Error(), "start orders") {
		t.Errorf("error = %v, want that orders can't be started", err)
	}
}

func TestTail(t *testing.T) {
	tail := &tail{next: newOutput()}
	for range 100 {
		_, _ = tail.Write([]byte("a\nb\n"))
	}
	_, _ = tail.Write([]byte("last\n"))
	want := strings.Repeat("b\na\n", 4) + "b\nlast"
	if got := tail.String(); got != want {
		t.Errorf("tail = %q, want %q", got, want)
	}
}
