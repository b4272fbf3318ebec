package process_test

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"example.com/warren/pkg/awaittest"
)

// A terminal sends Ctrl-C to its foreground process group.
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

// A parent that is killed cannot stop its process, so the kernel does.
func TestProcessEndsWithItsParent(t *testing.T) {
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = environment("parent")
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
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
		t.Error("the parent has no child")
	}
	_ = parent.Process.Kill()
	_ = parent.Wait() // returns that it was killed
	awaitEnd(t, pid)
}

// runs reports whether the process runs. A zombie, which has ended and waits for its parent, does not.
func runs(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := strings.Cut(string(stat), ") ") // proc_pid_stat(5)
	return err == nil && !strings.HasPrefix(state, "Z")
}

func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	t.Cleanup(func() {
		if runs(pid) { // the test has failed
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	awaittest.Until(t, "end of the child", func() bool { return !runs(pid) })
}
