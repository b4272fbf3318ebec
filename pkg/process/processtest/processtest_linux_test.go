package processtest_test

import (
	"os/exec"
	"testing"

	"example.com/warren/pkg/process/processtest"
)

func TestCommandLines(t *testing.T) {
	mark := "PROCESSTEST=" + t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	cmd.Env = []string{mark}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if found := processtest.CommandLines(t, mark); len(found) != 1 {
		t.Errorf("found %q, want the process that runs", found)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // returns that it was killed
	processtest.AwaitNone(t, mark)
}
