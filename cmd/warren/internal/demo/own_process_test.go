package demo

import (
	"os"
	"strings"
	"testing"
	"time"

	"example.com/warren/cmd/warren/internal/shellword"
)

// startRole starts this binary as a process in a role.
func startRole(t *testing.T, role string) (*ownProcess, *output) {
	t.Helper()
	logs := newOutput()
	p, err := startOwnProcess("things", os.Args[0], []string{roleVariable + "=" + role, noExitDelay}, logs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p, logs
}

func TestOwnProcessFails(t *testing.T) {
	p, logs := startRole(t, "crash")
	err := p.err()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"things", "exit status 3", "cannot go on"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not contain %q", err, part)
		}
	}
	if !strings.Contains(logs.String(), "cannot go on") {
		t.Errorf("log = %q, want what the process printed", logs)
	}
}

// lineCheck is a log that fails a test at a write that is not of whole lines.
type lineCheck struct {
	t    *testing.T
	size int
}

func (l *lineCheck) Write(p []byte) (int, error) {
	l.size += len(p)
	if !strings.HasSuffix(string(p), longLine) || len(p)%len(longLine) != 0 {
		l.t.Errorf("a write of %d bytes ends within a line", len(p))
	}
	return len(p), nil
}

// A service writes up to 64 KiB of lines at once, of which a pipe's reader gets parts.
func TestOwnProcessLogsWholeLines(t *testing.T) {
	log := &lineCheck{t: t}
	p, err := startOwnProcess("things", os.Args[0], []string{roleVariable + "=print", noExitDelay}, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.err(); err != nil {
		t.Fatal(err)
	}
	if want := longLines * len(longLine); log.size != want {
		t.Errorf("%d bytes were logged, want %d", log.size, want)
	}
}

func TestOwnProcessStops(t *testing.T) {
	p, logs := startRole(t, "obey")
	logs.await(t, "starting", p.ended())
	p.stop()
	if err := p.err(); err != nil {
		t.Error(err)
	}
}

func TestOwnProcessIsKilled(t *testing.T) {
	p, logs := startRole(t, "ignore")
	logs.await(t, "starting", p.ended())
	p.killDelay = time.Millisecond
	p.stop()
	if err := p.err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("error = %v, want that it was killed", err)
	}
}

func TestOwnProcessNotice(t *testing.T) {
	p, _ := startRole(t, "crash")
	if got, want := p.notice(), "env -i "+roleVariable+"=crash "+noExitDelay+" "+shellword.Quote(os.Args[0]); !strings.Contains(got, want) {
		t.Errorf("notice %q does not contain %q", got, want)
	}
}

func TestOwnProcessMissing(t *testing.T) {
	_, err := startOwnProcess("things", "/nowhere/things", nil, newOutput())
	if err == nil || !strings.Contains(err.Error(), "start things") {
		t.Errorf("error = %v, want that things can't be started", err)
	}
}
