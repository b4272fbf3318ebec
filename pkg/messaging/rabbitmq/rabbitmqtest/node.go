package rabbitmqtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/process"
)

// startTimeout bounds a start whose context has no nearer deadline. A node starts in about 5 s on an idle machine.
const startTimeout = 5 * time.Minute

// The errors of [Node.Restart].
var (
	// ErrRunning means that the node must be stopped first.
	ErrRunning = errors.New("node is running")
	// ErrClosed means that the node's folder was removed.
	ErrClosed = errors.New("node closed")
)

// Node is a private RabbitMQ server. Its methods may be called concurrently.
type Node struct {
	installation installation
	options      Options
	folder       string
	name         string
	ports        ports
	env          []string

	mu      sync.Mutex
	server  *process.Process // nil while the node is stopped
	version string
	closed  bool
}

// Start starts a node and returns once it accepts connections. The error is [ErrNotInstalled] if there is no RabbitMQ. ctx
// bounds the start. The node runs until it is stopped, killed or closed, or this process ends.
func Start(ctx context.Context, options Options) (*Node, error) {
	n, err := newNode(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start RabbitMQ node: %w", err)
	}
	if err := n.Restart(ctx); err != nil {
		return nil, removeAfter(err, n.folder)
	}
	return n, nil
}

// StartNode starts a node that is closed with the test.
func StartNode(t testing.TB, options Options) *Node {
	t.Helper()
	node, err := Start(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	return node
}

func newNode(ctx context.Context, options Options) (*Node, error) {
	installation, err := findInstallation()
	if err != nil {
		return nil, err
	}
	ports, err := findPorts(ctx, options)
	if err != nil {
		return nil, err
	}
	folder, name, err := makeFolder(options)
	if err != nil {
		return nil, err
	}
	if err := fillFolder(folder, name, ports, options); err != nil {
		return nil, removeAfter(err, folder)
	}
	return &Node{
		installation: installation, options: options, folder: folder, name: name, ports: ports,
		env: environment(folder, name, ports),
	}, nil
}

// URL returns the URL to connect to the node as the user guest.
func (n *Node) URL() string { return "amqp://guest:guest@" + n.Addr() + "/" }

// Addr returns the host and port of the node's AMQP listener, for the URLs of other users.
func (n *Node) Addr() string { return address(n.ports.amqp) }

// TLSURL returns the URL to connect over TLS as the user guest. The node must have been started with Options.TLS.
func (n *Node) TLSURL() string { return "amqps://guest:guest@" + n.TLSAddr() + "/" }

// TLSAddr returns the host and port of the node's TLS listener.
func (n *Node) TLSAddr() string { return address(n.ports.tls) }

// Name returns the node's full name, which ends with @localhost.
func (n *Node) Name() string { return n.name }

// Version returns the version that the node reports to its clients, such as 4.3.6.
func (n *Node) Version() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.version
}

// Ctl runs rabbitmqctl against the node and returns its output. The error contains what rabbitmqctl wrote to stderr.
func (n *Node) Ctl(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, n.installation.ctl, append([]string{"--quiet", "--node", n.name}, args...)...)
	cmd.Env = n.env
	cmd.Stdout = &stdout
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("rabbitmqctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// CtlCommand returns the beginning of a rabbitmqctl command line for a developer to complete, and the variables that it
// needs, as NAME=value. It works only for the user of this process, who may read the node's cookie.
func (n *Node) CtlCommand() (env, command []string) {
	return []string{home(n.folder)}, []string{n.installation.ctl, "--node", n.name}
}

// Restart starts a node that was stopped or killed, with the data and the ports it had, and returns once it accepts
// connections.
func (n *Node) Restart(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return fmt.Errorf("start %s: %w", n.name, ErrClosed)
	}
	if n.running() {
		return fmt.Errorf("start %s: %w", n.name, ErrRunning)
	}
	err := n.start(ctx)
	if errors.Is(err, errEpmd) {
		err = n.start(ctx)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", n.name, err)
	}
	return nil
}

// errEpmd means that a second start may succeed: nodes that start together on a busy machine can fail to start or reach
// the epmd that they share. See https://github.com/rabbitmq/rabbitmq-server/issues/5322.
var errEpmd = errors.New("epmd failed")

// epmdComplaint matches what the server or rabbitmqctl prints then.
var epmdComplaint = regexp.MustCompile(`no_epmd_port|epmd_error|epmd error|connect to epmd|nodistribution`)

// start sets server once it accepts connections. Called with mu held.
func (n *Node) start(ctx context.Context) error {
	if err := checkFree(ctx, n.ports.amqp); err != nil {
		return err
	}
	startup := newStartup(n.options.Output)
	server, err := process.Start(n.installation.server, n.env, startup)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.awaitStart(ctx, server, startup); err != nil {
		server.Kill()
		err = fmt.Errorf("%w; its output ends with:\n%s", err, server.Tail())
		if epmdComplaint.MatchString(err.Error()) {
			err = fmt.Errorf("%w: %w", errEpmd, err)
		}
		return err
	}
	n.server = server
	return nil
}

// awaitStart is called with mu held.
func (n *Node) awaitStart(ctx context.Context, server *process.Process, startup *startup) error {
	if err := startup.await(ctx, server); err != nil {
		return err
	}
	version, err := awaitAMQP(ctx, server, n.ports.amqp)
	if err != nil {
		return err
	}
	if err := checkVersion(version); err != nil {
		return err
	}
	n.version = version
	return nil
}

// running reports whether the server runs. Called with mu held.
func (n *Node) running() bool {
	if n.server == nil {
		return false
	}
	select {
	case <-n.server.Done():
		return false
	default:
		return true
	}
}

// Kill ends the server with SIGKILL, as a crash would, and returns once its process has ended.
func (n *Node) Kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kill()
}

// kill is called with mu held.
func (n *Node) kill() {
	if n.server != nil {
		n.server.Kill()
		n.server = nil
	}
}

// Stop shuts the server down and returns once its process has ended. When ctx ends first, Stop kills the server.
func (n *Node) Stop(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.server == nil {
		return nil
	}
	err := n.server.Stop(ctx)
	n.server = nil
	if err != nil {
		return fmt.Errorf("stop %s: %w", n.name, err)
	}
	return nil
}

// Close kills the node and removes its folder. A second call does nothing.
func (n *Node) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kill()
	n.closed = true
	return os.RemoveAll(n.folder)
}

// removeAfter removes folder and returns err, joined with the error of the removal.
func removeAfter(err error, folder string) error {
	return errors.Join(err, os.RemoveAll(folder))
}
