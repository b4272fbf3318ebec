// Package system starts the real programs over a real RabbitMQ, each service as its broker user of production, for tests
// that drive the programs as their users do. Benchmarks share its HTTP client.
package system

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/pkg/process"
)

// gateway is the one service that a system is called through.
const gateway = "gateway"

// RPCTimeout is the RPC_TIMEOUT of gateways. It is short, so that calls that must fail do so soon.
const RPCTimeout = "3s"

// Suite is what all tests of a package share. Tests fills it.
type Suite struct {
	Programs string // folder of the binaries
	Node     *rabbitmqtest.Node

	brokers []string // addresses; default: the node's
}

// Via returns a suite whose services connect to addrs instead of the node: to a proxy, or to the nodes of a cluster.
func (s *Suite) Via(addrs ...string) *Suite {
	return &Suite{Programs: s.Programs, Node: s.Node, brokers: addrs}
}

// BrokerURL returns the BROKER_URL of a service, with its broker user of production.
func (s *Suite) BrokerURL(service string) string {
	addrs := s.brokers
	if len(addrs) == 0 {
		addrs = []string{s.Node.Addr()}
	}
	urls := make([]string, len(addrs))
	for i, addr := range addrs {
		urls[i] = BrokerURL(service, addr, "")
	}
	return strings.Join(urls, ",")
}

// BrokerURL returns the URL for a user of the development definitions at a broker's virtual host. The empty host is the
// default one.
func BrokerURL(user, addr, host string) string {
	return fmt.Sprintf("amqp://%s:%s-development@%s/%s", user, user, addr, host)
}

// Start starts a service with its files in dir, and does not wait until it is ready. The service's environment holds what
// tests need, and env. The service is stopped at the end of the test, which fails if it ended by itself.
func (s *Suite) Start(t *testing.T, service, dir string, env ...string) *Process {
	t.Helper()
	p := &Process{Service: service, Admin: FreeAddr(t)}
	own := []string{
		"BROKER_URL=" + s.BrokerURL(service),
		"ADMIN_ADDR=" + p.Admin,
		"LOG_FORMAT=text",
		"LOG_FLUSH_INTERVAL=0s", // tests kill processes, and read what they logged
		"RPC_IDENTITY_KEYS=" + filepath.Join(dir, "identity-keys"),
	}
	for variable, value := range demoSettings[service] {
		own = append(own, variable+"="+value)
	}
	for variable, file := range fileSettings[service] {
		own = append(own, variable+"="+filePath(dir, service, file))
	}
	var err error
	p.process, err = process.Start(filepath.Join(s.Programs, service), append(own, env...), &p.output)
	if err != nil {
		t.Fatalf("start %s: %v", service, err)
	}
	t.Cleanup(func() { p.cleanUp(t) })
	return p
}

// StartGateway is Start for a gateway at a free address. The API has no token yet.
func (s *Suite) StartGateway(t *testing.T, dir string, env ...string) (*Process, API) {
	t.Helper()
	addr := FreeAddr(t)
	p := s.Start(t, gateway, dir, append([]string{
		"GATEWAY_ADDR=" + addr,
		"RPC_VERIFY_REPLIES=true", // as in production
		"RPC_TIMEOUT=" + RPCTimeout,
	}, env...)...)
	return p, API{URL: "http://" + addr}
}

// DataFile returns the file of a service with its files in dir that a setting names, such as "ACCESS_CONTROL_DATABASE".
func DataFile(dir, service, setting string) string {
	return filePath(dir, service, fileSettings[service][setting])
}

// Databases returns the settings that name a database, with their services.
func Databases() map[string]string {
	services := map[string]string{}
	for service, settings := range fileSettings {
		for setting := range settings {
			if strings.HasSuffix(setting, "_DATABASE") {
				services[setting] = service
			}
		}
	}
	return services
}

// filePath is where a service that has its files in dir keeps one. Two services may give theirs the same name.
func filePath(dir, service, file string) string { return filepath.Join(dir, service+"-"+file) }

// System is one process of each service.
type System struct {
	Dir     string
	Gateway *Process
	API     API // of the gateway, without a token

	suite     *Suite
	env       []string
	processes map[string]*Process // by service, the one that was started last
}

// StartSystem starts one process of each service, with the demo data and env, and waits until all are ready.
func (s *Suite) StartSystem(t *testing.T, env ...string) *System {
	t.Helper()
	sys := s.LaunchSystem(t, env...)
	for _, p := range sys.Processes() {
		p.AwaitReady(t)
	}
	return sys
}

// LaunchSystem is StartSystem without the wait.
func (s *Suite) LaunchSystem(t *testing.T, env ...string) *System {
	t.Helper()
	sys := &System{Dir: t.TempDir(), suite: s, env: append([]string{"DEMO_DATA=true"}, env...), processes: map[string]*Process{}}
	for _, service := range Services {
		if service != gateway {
			sys.Start(t, service)
		}
	}
	sys.Gateway, sys.API = s.StartGateway(t, sys.Dir, sys.env...)
	sys.processes[gateway] = sys.Gateway
	return sys
}

// Start starts a service again after a stop, or another replica, and does not wait until it is ready.
func (s *System) Start(t *testing.T, service string) *Process {
	t.Helper()
	p := s.suite.Start(t, service, s.Dir, s.env...)
	s.processes[service] = p
	return p
}

// Process returns the process of a service that was started last.
func (s *System) Process(service string) *Process { return s.processes[service] }

// Processes returns a process of each service.
func (s *System) Processes() []*Process {
	processes := make([]*Process, len(Services))
	for i, service := range Services {
		processes[i] = s.processes[service]
	}
	return processes
}
