package rabbitmqtest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRestartTriesAgain checks that a start that fails because of epmd is repeated once, and no other.
func TestRestartTriesAgain(t *testing.T) {
	for complaint, wantStarts := range map[string]int{
		`Error during startup: {error,no_epmd_port}`:                               2,
		`ERROR: epmd error for host localhost: address (cannot connect)`:           2,
		`{failed_to_start_child,net_kernel,{'EXIT',nodistribution}}`:               2,
		`epmd monitor knows us; error: channel_max in rabbitmq.conf is no integer`: 1,
	} {
		t.Run(complaint, func(t *testing.T) {
			folder := t.TempDir()
			script := "#!/bin/sh\necho start >>\"$HOME/starts\"\necho \"" + complaint + "\"\nexit 1\n"
			server := filepath.Join(folder, "rabbitmq-server")
			if err := os.WriteFile(server, []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			port, err := freePort(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			node := &Node{installation: installation{server: server}, folder: folder, ports: ports{amqp: port}, env: []string{home(folder)}}
			if err := node.Restart(t.Context()); !errors.Is(err, errEnded) || !strings.Contains(err.Error(), complaint) {
				t.Errorf("Restart = %v, want that it ended with %q", err, complaint)
			}
			starts, err := os.ReadFile(filepath.Join(folder, "starts"))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(string(starts), "start"); got != wantStarts {
				t.Errorf("%d starts, want %d", got, wantStarts)
			}
		})
	}
}
