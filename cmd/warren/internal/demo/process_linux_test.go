package demo

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
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
