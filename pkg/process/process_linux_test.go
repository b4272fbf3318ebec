package process_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A terminal sends Ctrl-C to the group that is in its foreground.
func TestProcessHasItsOwnGroup(t *testing.T) {
	p, _ := start(t, "ignore")
	group, err := syscall.Getpgid(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	if group != p.PID() {
		t.Errorf("process group = %d, want the process's own, %d", group, p.PID())
	}
}

// An owner that is killed can't stop its process, so the kernel does.
func TestProcessEndsWithItsOwner(t *testing.T) {
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = environment("own")
	stdout, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	output := bufio.NewReader(stdout)
	wantLine(t, output, "started")
	line, err := output.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if !runs(pid) {
		t.Error("the owner has no process")
	}
	_ = owner.Process.Kill()
	_ = owner.Wait() // it was killed
	awaitEnd(t, pid)
}

// runs reports whether there is such a process, other than one that has ended and waits for its parent to notice.
func runs(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := strings.Cut(string(stat), ") ") // proc_pid_stat(5)
	return err == nil && !strings.HasPrefix(state, "Z")
}

func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("it outlives its owner"))
	defer cancel()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for runs(pid) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal(context.Cause(ctx))
		}
	}
}
