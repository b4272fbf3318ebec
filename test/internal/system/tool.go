package system

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"testing"
)

// Tool is the warren command, as an operator runs it.
type Tool struct {
	path string
	env  []string
}

// Tool returns the warren command, to be run with the broker user of a service.
func (s *Suite) Tool(service string) Tool {
	return Tool{path: filepath.Join(s.Programs, "warren"), env: []string{"BROKER_URL=" + s.BrokerURL(service)}}
}

// Run runs the command and returns its standard output. An exit status other than 0 fails the test.
func (w Tool) Run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, w.path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("warren %q: %v\n%s%s", args, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}
