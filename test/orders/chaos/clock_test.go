package chaos

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// ahead is how far the clock of one host is wrong. It is longer than a call may take.
const ahead = 10 * time.Second

// TestLongClockAhead runs one service at a time on a host whose clock is ahead. The gateway's clock makes no call fail. With the
// clock of orders, requests are past their deadline when they arrive, so that calls fail cleanly until it is right again.
func TestLongClockAhead(t *testing.T) {
	programs := buildAhead(t)
	s := suite.StartSystem(t, limitSetting)
	wrong := system.Suite{Programs: programs, Node: suite.Node}

	t.Run("gateway", func(t *testing.T) {
		gateway, api := wrong.StartGateway(t, s.Dir, patientSetting(), "RPC_INSTANCE=ahead")
		gateway.AwaitReady(t)
		l := startLoad(t, api.Login(t, "demo"))
		began := time.Now()
		wait(t, size(2*time.Second, 15*time.Second))
		l.fault(t, began)
		l.finish(t, fmt.Sprintf("the clock of the gateway is %s ahead", ahead), ordersDatabase(s.Dir), resumes())
		l.allAnswered(t)
	})
	t.Run("orders", func(t *testing.T) {
		l := startLoad(t, s.API.Login(t, "demo"))
		began := time.Now()
		s.Process("orders").Stop(t)
		orders := wrong.Start(t, "orders", s.Dir)
		orders.AwaitReady(t)
		l.settle(t)
		wait(t, size(2*time.Second, 15*time.Second))
		if n := orders.Metric(t, "rpc_server_expired_requests_total"); n == 0 {
			t.Error("no request was past its deadline: the clock is not ahead")
		}
		orders.Stop(t)
		s.Start(t, "orders").AwaitReady(t)
		l.outage(t, began, time.Now())
		l.finish(t, fmt.Sprintf("the clock of orders is %s ahead", ahead), ordersDatabase(s.Dir), resumes())
	})
}

// buildAhead builds the services with a package time whose clock is ahead, and returns their folder. Nothing else differs, and no
// code of the services is changed. A library that libfaketime preloads does not work: Go calls no C library for the time.
func buildAhead(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	root := strings.TrimSpace(run(t, ".", "go", "env", "GOROOT"))
	original := filepath.Join(root, "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	// The first line of time.Now. The monotonic clock, by which timers run, stays right.
	const now = "\tsec, nsec, mono := runtimeNow()\n"
	changed := strings.Replace(string(text), now, now+fmt.Sprintf("\tsec += %d\n", int(ahead.Seconds())), 1)
	if changed == string(text) {
		t.Fatalf("%s of %s has no line %q", original, runtime.Version(), now)
	}
	wrong, overlay := filepath.Join(folder, "time.go"), filepath.Join(folder, "overlay.json")
	spec, err := json.Marshal(map[string]any{"Replace": map[string]string{original: wrong}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{wrong: []byte(changed), overlay: spec} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, service := range []string{"gateway", "orders"} {
		run(t, system.File("services/"+service), "go", "build", "-overlay", overlay, "-o", folder, "./cmd/"+service)
	}
	return folder
}

// run runs a command in a folder and returns its standard output.
func run(t *testing.T, folder string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v", command, err)
	}
	return string(out)
}
