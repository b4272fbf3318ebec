package processtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// CommandLines returns the command lines of the processes that AwaitNone waits for.
func CommandLines(t *testing.T, mark string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		environ, _ := os.ReadFile(path) // the process may have ended
		cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if bytes.Contains(append(environ, cmdline...), []byte(mark)) && !bytes.Contains(cmdline, []byte("epmd")) {
			found = append(found, strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found
}
