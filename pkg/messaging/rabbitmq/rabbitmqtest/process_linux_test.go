package rabbitmqtest_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"example.com/warren/pkg/process/processtest"
)

// TestLongNodeEndsWithItsOwner kills the process that started a node. It cannot stop the node, so the kernel does.
func TestLongNodeEndsWithItsOwner(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	owner := exec.CommandContext(ctx, os.Args[0])
	owner.Env = append(os.Environ(), ownerDir+"="+dir)
	stdout, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.StdinPipe(); err != nil { // the owner waits until it closes
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "started\n" {
		t.Errorf("the owner printed %q, %v", line, err)
	}
	if len(processtest.CommandLines(t, "HOME="+dir)) == 0 {
		t.Error("the owner has no node")
	}
	if err := owner.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = owner.Wait() // the error says that it was killed
	processtest.AwaitNone(t, "HOME="+dir)
}
