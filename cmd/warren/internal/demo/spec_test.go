package demo

import (
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpecArgs(t *testing.T) {
	s := spec{env: []string{"ORDERS_DATABASE=/a b/c=d", "GATEWAY_INSTANCE=", "DEMO_DATA=true"}}
	want := []string{"--orders-database=/a b/c=d", "--gateway-instance=", "--demo-data=true"}
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

func TestSpecsOrder(t *testing.T) {
	specs, _, err := newSpecs(t.Context(), t.TempDir(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range specs {
		names = append(names, s.service.Name)
	}
	if diff := cmp.Diff([]string{"gateway", "access-control", "orders"}, names); diff != "" {
		t.Errorf("services in the order of their stop (-want +got):\n%s", diff)
	}
}

// A port that something else has is no reason not to start.
func TestAdminAddressTaken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	s := spec{}
	s.service.AdminAddr = listener.Addr().String()
	if err := s.chooseAdminAddr(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.adminAddr == s.service.AdminAddr {
		t.Errorf("admin address %s is taken", s.adminAddr)
	}
	if !slices.Contains(s.env, "ADMIN_ADDR="+s.adminAddr) {
		t.Errorf("%s is not among the settings %q", s.adminAddr, s.env)
	}
}
