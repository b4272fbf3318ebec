package demo

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/service"
)

func TestSpecArgs(t *testing.T) {
	s := spec{env: []string{"THINGS_DATABASE=/a b/c=d", "RPC_INSTANCE=", "DEMO_DATA=true"}}
	want := []string{"--things-database=/a b/c=d", "--rpc-instance=", "--demo-data=true"}
	if diff := cmp.Diff(want, s.args()); diff != "" {
		t.Errorf("args (-want +got):\n%s", diff)
	}
}

func TestReachable(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8080":   "127.0.0.1:8080",
		"192.168.1.5:8080": "192.168.1.5:8080",
		"0.0.0.0:8080":     "127.0.0.1:8080",
		"[::]:8080":        "127.0.0.1:8080",
		"[::1]:8080":       "[::1]:8080",
	} {
		if got := reachable(addr); got != want {
			t.Errorf("reachable(%s) = %s, want %s", addr, got, want)
		}
	}
}

// TestSpecsOrder: the gateway stops first, so that its requests in flight still get their replies.
func TestSpecsOrder(t *testing.T) {
	specs, _, err := newSpecs(t.Context(), t.TempDir(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	if len(specs) != len(services.All()) {
		t.Errorf("%d services in the demo, want %d", len(specs), len(services.All()))
	}
	if first := specs[0].service.Name; first != gatewayName {
		t.Errorf("%s stops before the gateway", first)
	}
}

// Another program, or a service before it in the demo, may have the default port.
func TestAdminAddressTaken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	free, err := checkFree(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for name, addr := range map[string]string{"by a program": listener.Addr().String(), "by a service": free} {
		t.Run(name, func(t *testing.T) {
			s := spec{}
			s.service.AdminAddr = addr
			if err := s.chooseAdminAddr(t.Context(), map[string]bool{free: true}); err != nil {
				t.Fatal(err)
			}
			if s.adminAddr == addr {
				t.Errorf("admin address %s is taken", s.adminAddr)
			}
			if !slices.Contains(s.env, "ADMIN_ADDR="+s.adminAddr) {
				t.Errorf("%s is not among the settings %q", s.adminAddr, s.env)
			}
		})
	}
}

type storeConfig struct {
	Database string `default:"data/a.db" file:"" help:"A file."`
	Cost     int    `default:"12" demo:"10" help:"Work."`
	DemoData bool   `name:"demo-data" help:"Adds something."`
	Limit    int    `default:"3" help:"Left alone."`
}

// A service needs nothing in the demo's code to run in it.
func TestSettings(t *testing.T) {
	folder := t.TempDir()
	env, err := settings(service.Service{Name: "stock", Config: new(storeConfig)}, folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"STOCK_DATABASE=" + folder + "/data/a.db", "STOCK_COST=10", "DEMO_DATA=true", "LOG_FORMAT=text"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s among the settings %q", want, env)
		}
	}
	if slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, "STOCK_LIMIT=") }) {
		t.Errorf("STOCK_LIMIT is changed: %q", env)
	}
	if _, err := os.Stat(filepath.Join(folder, "data")); err != nil {
		t.Error(err)
	}
}
