package demo

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/service"
)

const (
	callTimeout = 5 * time.Second  // how long a call waits for its reply
	stopTimeout = 10 * time.Second // how long the orderly stop of a service may take
)

// gateway is the service that users talk to.
const gateway = "gateway"

// spec says how to run one service.
type spec struct {
	service   service.Service
	adminAddr string
	env       []string // its settings, as NAME=value
}

// newSpecs returns the system's services in the order in which they are to stop: requests in flight still find those
// who answer them. url is where the gateway will serve.
func newSpecs(ctx context.Context, folder, addr string) (specs []spec, url string, err error) {
	addr, err = checkFree(ctx, addr)
	if err != nil {
		return nil, "", fmt.Errorf("%w: choose another address with --addr", err)
	}
	for _, each := range services.All() {
		env := append(ownSettings(each.Name, folder, addr),
			"LOG_FORMAT=text",
			"RPC_TIMEOUT="+callTimeout.String(),
			"STOP_DELAY=0s",
			"STOP_TIMEOUT="+stopTimeout.String(),
		)
		specs = append(specs, spec{service: each, env: env})
	}
	slices.SortStableFunc(specs, func(a, b spec) int { return cmp.Compare(stopRank(a), stopRank(b)) })
	return specs, "http://" + reachable(addr), nil
}

// stopRank is lower for a service that stops earlier.
func stopRank(s spec) int {
	if s.service.Name == gateway {
		return 0
	}
	return 1
}

// ownSettings are what one service has and others don't.
func ownSettings(name, folder, addr string) []string {
	switch name {
	case gateway:
		// Its log has a line for each request.
		return []string{"GATEWAY_ADDR=" + addr, "GATEWAY_INSTANCE=", "LOG_LEVEL=info"}
	case "orders":
		return []string{"ORDERS_DATABASE=" + filepath.Join(folder, "orders.db"), "DEMO_DATA=true", "LOG_LEVEL=warn"}
	default:
		return []string{
			"ACCESS_CONTROL_DATABASE=" + filepath.Join(folder, "access-control.db"),
			"ACCESS_CONTROL_KEYS=" + filepath.Join(folder, "keys"),
			"ACCESS_CONTROL_BCRYPT_COST=10", // quick: these passwords are no secrets
			"DEMO_DATA=true", "LOG_LEVEL=warn",
		}
	}
}

// chooseAdminAddr is for the moment before the start. The admin listener takes another port if its own is taken.
func (s *spec) chooseAdminAddr(ctx context.Context) error {
	addr, err := checkFree(ctx, s.service.AdminAddr)
	if err != nil {
		addr, err = checkFree(ctx, "127.0.0.1:0")
	}
	s.adminAddr = addr
	s.env = append(s.env, "ADMIN_ADDR="+addr)
	return err
}

// args are the settings as flags: each has the name of its environment variable.
func (s *spec) args() []string {
	args := make([]string, 0, len(s.env))
	for _, setting := range s.env {
		name, value, _ := strings.Cut(setting, "=")
		args = append(args, "--"+strings.ToLower(strings.ReplaceAll(name, "_", "-"))+"="+value)
	}
	return args
}

// checkFree returns the address that a server gets that listens on addr.
func checkFree(ctx context.Context, addr string) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// reachable returns where a server is found that listens on addr, which may stand for all of the machine's addresses.
func reachable(addr string) string {
	a, err := netip.ParseAddrPort(addr)
	if err != nil || !a.Addr().IsUnspecified() {
		return addr
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
}
