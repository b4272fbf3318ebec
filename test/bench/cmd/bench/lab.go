package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/test/internal/brokerlog"
	"example.com/warren/test/internal/system"
)

const (
	definitions = "deployments/rabbitmq/definitions/services.json"
	// gatewayRoutes are the gateway's routes, and benchRoutes are built into it in their place.
	gatewayRoutes = "services/gateway/internal/adapters/http/routes.go"
	benchRoutes   = "test/bench/cmd/bench/routes.go.txt"
	// benchService is the service behind benchRoutes. The system has no service of this name.
	benchService = "bench-orders"
	// benchUser is the broker user of programs that have none in production.
	benchUser = "bench"
	// quorumHost is the virtual host with quorum queues.
	quorumHost = "quorum"
	// heldHost is the virtual host without a benchService.
	heldHost = "held"
	// sampledHost and tracedHost are the virtual hosts of systems that export traces.
	sampledHost, tracedHost = "sampled", "traced"
	// collectorSetting is the GOGC that deployments/service.yaml sets.
	collectorSetting = "GOGC=400"
	// startTimeout bounds each start.
	startTimeout = time.Minute
)

// allPrograms are the programs of all rows.
var allPrograms = []string{
	"./test/bench/cmd/minimal", "./test/bench/cmd/raw", "./test/bench/cmd/rpc",
	"./test/bench/cmd/article", "./test/bench/cmd/http", "./test/bench/cmd/" + benchService,
	"./test/bench/cmd/profiled-gateway",
	"./services/gateway/cmd/gateway", "./services/access-control/cmd/access-control",
}

// lab holds what the rows share: programs, a broker, and a folder for files.
type lab struct {
	folder    string
	node      *rabbitmqtest.Node
	brokerLog *brokerlog.Log
	broker    *process
	processes []*process
	tokens    []string
	profiled  map[string]string // addresses by program if programs serve profiles, or else nil
	settings  []string          // environment of every program, NAME=value
	source    string            // root of the repository that the programs are built from
	receiver  *http.Server      // of traces; nil: see traceReceiver

	count          counting // nil: only what /proc says is measured
	underCallgrind bool
	logins         int // number of tokens; 0: enough for all callers
}

// newLab builds the programs of this repository and starts the broker.
func newLab(ctx context.Context, programs []string) (*lab, error) {
	return newLabOf(ctx, ".", programs)
}

// newLabOf builds the programs of the repository whose root is source.
func newLabOf(ctx context.Context, source string, programs []string) (*lab, error) {
	source, err := filepath.Abs(source)
	if err != nil {
		return nil, fmt.Errorf("find the repository: %w", err)
	}
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	l := &lab{source: source, folder: folder, brokerLog: &brokerlog.Log{}}
	if err := errors.Join(l.build(ctx, programs), l.writeDefinitions()); err != nil {
		l.close()
		return nil, err
	}
	if err := l.startBroker(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// close stops all processes and removes all files.
func (l *lab) close() {
	for _, p := range l.processes {
		p.stop()
	}
	if l.receiver != nil {
		_ = l.receiver.Close()
	}
	if l.node != nil {
		_ = l.node.Close() // its folder is removed below
	}
	_ = os.RemoveAll(l.folder)
}

// build builds programs, the gateway with benchRoutes.
func (l *lab) build(ctx context.Context, programs []string) error {
	overlay, err := l.writeOverlay()
	if err != nil {
		return fmt.Errorf("build the programs: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go",
		append([]string{"build", "-trimpath", "-overlay", overlay, "-o", l.program("") + "/"}, programs...)...)
	cmd.Dir = l.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK="+filepath.Join(l.source, "go.work"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w: %s", err, out)
	}
	return nil
}

// writeOverlay writes what has the go command read benchRoutes in place of gatewayRoutes.
func (l *lab) writeOverlay() (file string, err error) {
	replaced, by := filepath.Join(l.source, gatewayRoutes), filepath.Join(l.source, benchRoutes)
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{replaced: by}})
	if err != nil {
		return "", err
	}
	file = filepath.Join(l.folder, "overlay.json")
	return file, os.WriteFile(file, data, 0o600)
}

func (l *lab) program(name string) string { return filepath.Join(l.folder, "bin", name) }

func (l *lab) definitions() string { return filepath.Join(l.folder, "definitions.json") }

// writeDefinitions writes production's broker definitions with additional virtual hosts, benchUser, and the user of
// benchService, whose queues the gateway may declare.
func (l *lab) writeDefinitions() error {
	data, err := os.ReadFile(filepath.Join(l.source, definitions))
	if err != nil {
		return fmt.Errorf("read the broker's definitions (run from the repository's root): %w", err)
	}
	var d struct {
		Users       []map[string]any `json:"users"`
		Hosts       []map[string]any `json:"vhosts"`
		Permissions []map[string]any `json:"permissions"`
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("read %s: %w", definitions, err)
	}
	for _, p := range d.Permissions {
		if p["user"] == "gateway" {
			p["configure"] = fmt.Sprintf(`%s|^%s\.[^.]+$`, p["configure"], benchService)
		}
	}
	own := `^` + benchService + `\.`
	d.Permissions = append(d.Permissions,
		map[string]any{"user": benchService, "vhost": "/", "configure": own, "write": `^amq\.default$`, "read": own})
	permissions := d.Permissions
	for _, host := range []string{quorumHost, heldHost, sampledHost, tracedHost} {
		for _, p := range permissions {
			p = maps.Clone(p)
			p["vhost"] = host
			d.Permissions = append(d.Permissions, p)
		}
		d.Hosts = append(d.Hosts, map[string]any{"name": host})
	}
	for _, user := range []string{benchService, benchUser} {
		d.Users = append(d.Users, map[string]any{"name": user, "password": user + "-development", "tags": []string{}})
	}
	d.Permissions = append(d.Permissions,
		map[string]any{"user": benchUser, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"})
	data, err = json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write the broker's definitions: %w", err)
	}
	return os.WriteFile(l.definitions(), data, 0o600)
}

func (l *lab) startBroker(ctx context.Context) error {
	var err error
	l.node, err = rabbitmqtest.Start(ctx, rabbitmqtest.Options{
		Dir: l.folder, Definitions: l.definitions(), Output: l.brokerLog,
	})
	if err != nil {
		return err
	}
	out, err := l.node.Ctl(ctx, "eval", "list_to_integer(os:getpid()).")
	if err != nil {
		return fmt.Errorf("find the broker's process: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return fmt.Errorf("find the broker's process: %w", err)
	}
	l.broker = &process{name: "broker", pid: pid}
	return nil
}

// brokerURL returns the URL for a service's user, or for benchUser, at a virtual host.
func (l *lab) brokerURL(user, host string) string { return system.BrokerURL(user, l.node.Addr(), host) }
