package demo

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// awaitNoProcess fails if a process is left that has mark in its command line or its environment. A RabbitMQ node's own
// children end a moment after it; epmd stays.
func awaitNoProcess(t *testing.T, mark string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		left := processes(t, mark)
		if len(left) == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Errorf("processes left: %q", left)
			return
		}
	}
}

// processes returns the command lines of the processes with mark.
func processes(t *testing.T, mark string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		environ, _ := os.ReadFile(path) // it may have ended
		cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if bytes.Contains(append(environ, cmdline...), []byte(mark)) && !bytes.Contains(cmdline, []byte("epmd")) {
			found = append(found, strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found
}

// A terminal sends Ctrl-C to the group that is in its foreground.
func TestProcessHasItsOwnGroup(t *testing.T) {
	p, _ := startRole(t, "obey")
	group, err := syscall.Getpgid(p.pid())
	if err != nil {
		t.Fatal(err)
	}
	if group != p.pid() {
		t.Errorf("process group = %d, want the process's own, %d", group, p.pid())
	}
}

// A demo that is killed can't stop its services, so the kernel does.
func TestProcessEndsWithItsOwner(t *testing.T) {
	mark := t.TempDir() // no other process knows it
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = []string{roleVariable + "=own", markVariable + "=" + mark}
	out, ended := newOutput(), make(chan struct{})
	owner.Stdout = out
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		_ = owner.Wait() // it is killed
	}()
	out.await(t, "started one", ended)
	if got := processes(t, mark); len(got) != 2 {
		t.Errorf("processes = %q, want the owner and its service", got)
	}
	_ = owner.Process.Kill()
	<-ended
	awaitNoProcess(t, mark)
}
