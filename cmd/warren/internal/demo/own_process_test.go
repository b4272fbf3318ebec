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
