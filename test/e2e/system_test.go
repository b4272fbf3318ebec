package e2e

import (
	"testing"
)

// rpcTimeout is short, so that calls that must fail do so soon.
const rpcTimeout = "3s"

// system is all services, over the shared node.
type system struct {
	dir           string
	accessControl *process
	orders        *process
	gateway       *process
	api           api
}

// startSystem starts one of each, with the demo's data.
func startSystem(t *testing.T) *system {
	t.Helper()
	s := &system{dir: t.TempDir()}
	s.accessControl = start(t, "access-control", s.dir, "DEMO_DATA=true", "ACCESS_CONTROL_BCRYPT_COST=10")
	s.startOrders(t)
	s.gateway, s.api = startGateway(t, s.dir)
	for _, p := range []*process{s.accessControl, s.orders, s.gateway} {
		p.awaitReady(t)
	}
	return s
}

func (s *system) startOrders(t *testing.T) {
	t.Helper()
	s.orders = start(t, "orders", s.dir, "DEMO_DATA=true")
}

// startGateway does not wait for it to be ready.
func startGateway(t *testing.T, dir string, env ...string) (*process, api) {
	t.Helper()
	addr := freeAddr(t)
	p := start(t, "gateway", dir, append([]string{"GATEWAY_ADDR=" + addr, "RPC_TIMEOUT=" + rpcTimeout}, env...)...)
	return p, api{url: "http://" + addr}
}
