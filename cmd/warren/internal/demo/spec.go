package demo

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/service"
)

const (
	callTimeout = 5 * time.Second  // how long a call waits for its reply
	stopTimeout = 10 * time.Second // how long the graceful shutdown of a service may take
)

// gatewayName is that of the service that users talk to.
const gatewayName = "gateway"

// spec says how to run one service.
type spec struct {
	service   service.Service
	adminAddr string
	env       []string // its settings, as NAME=value
}

// newSpecs returns the services in the order in which they stop: the gateway first, so that requests in flight still find
// the services that reply to them. Their files are below folder. url is where the gateway will serve.
func newSpecs(ctx context.Context, folder, addr, logLevel string) (specs []spec, url string, err error) {
	addr, err = checkFree(ctx, addr)
	if err != nil {
		return nil, "", fmt.Errorf("%w: choose another address with --addr (make demo ADDR=…)", err)
	}
	for _, each := range services.All() {
		s := spec{service: each}
		if s.env, err = settings(each, filepath.Join(folder, each.Name)); err != nil {
			return nil, "", err
		}
		if each.Name == gatewayName {
			// At info, its log has a line for each request.
			s.env = append(s.env, "GATEWAY_ADDR="+addr, "LOG_LEVEL="+cmp.Or(logLevel, "info"))
		} else {
			s.env = append(s.env, "LOG_LEVEL="+cmp.Or(logLevel, "warn"))
		}
		specs = append(specs, s)
	}
	slices.SortStableFunc(specs, func(a, b spec) int { return cmp.Compare(stopRank(a), stopRank(b)) })
	return specs, "http://" + reachable(addr), nil
}

func stopRank(s spec) int {
	if s.service.Name == gatewayName {
		return 0
	}
	return 1
}

// settings returns what any service has in the demo. It makes the service's folder if the service keeps files.
func settings(s service.Service, folder string) ([]string, error) {
	all, err := service.Settings(s)
	if err != nil {
		return nil, err
	}
	env := []string{
		"LOG_FORMAT=text",
		"RPC_INSTANCE=",
		"RPC_TIMEOUT=" + callTimeout.String(),
		"STOP_DELAY=0s",
		"STOP_TIMEOUT=" + stopTimeout.String(),
	}
	for _, setting := range all {
		switch {
		case setting.File:
			path := filepath.Join(folder, setting.Default)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return nil, fmt.Errorf("make a folder for %s: %w", s.Name, err)
			}
			env = append(env, setting.Variable+"="+path)
		case setting.Variable == "RPC_IDENTITY_KEYS":
			// All services share one folder: one publishes keys, the others read them.
			env = append(env, setting.Variable+"="+filepath.Join(filepath.Dir(folder), "identity-keys"))
		case setting.Demo != "":
			env = append(env, setting.Variable+"="+setting.Demo)
		case setting.Variable == "DEMO_DATA":
			env = append(env, "DEMO_DATA=true")
		}
	}
	return env, nil
}

// chooseAdminAddr chooses the address of the service's admin listener: its default, or a free port if something else has
// that one, such as a service before it in the demo.
func (s *spec) chooseAdminAddr(ctx context.Context, taken map[string]bool) error {
	addr, err := checkFree(ctx, s.service.AdminAddr)
	for err != nil || taken[addr] {
		if addr, err = checkFree(ctx, "127.0.0.1:0"); err != nil {
			return fmt.Errorf("find an address for the probes of %s: %w", s.service.Name, err)
		}
	}
	taken[addr] = true
	s.adminAddr = addr
	s.env = append(s.env, "ADMIN_ADDR="+addr)
	return nil
}

// get returns the service's first example of a GET with a token and status 200.
func (s *spec) get() (example service.Example, ok bool) {
	for _, e := range s.service.Examples {
		if e.Method == http.MethodGet && !e.Anonymous && e.Status == http.StatusOK {
			return e, true
		}
	}
	return service.Example{}, false
}

// args returns the settings as flags, which are named like their variables.
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

// reachable returns where a client finds a server that listens on addr, which may stand for all of the machine's addresses.
func reachable(addr string) string {
	a, err := netip.ParseAddrPort(addr)
	if err != nil || !a.Addr().IsUnspecified() {
		return addr
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
}
