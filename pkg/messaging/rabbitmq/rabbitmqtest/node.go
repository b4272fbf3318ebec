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
	"time"

	"example.com/warren/pkg/process"
)

const (
	// startTimeout bounds a start whose context has no nearer deadline. A node is up in about 5 s on an idle machine.
	startTimeout = 5 * time.Minute
	// closeTimeout bounds the clean stop of a node that is closed.
	closeTimeout = 2 * time.Minute
)

// The errors of Restart, wrapped with the node's name.
var (
	// ErrRunning: the node has to be stopped first.
	ErrRunning = errors.New("node is running")
	// ErrClosed: the node's folder is gone.
	ErrClosed = errors.New("node closed")
)

// Node is a RabbitMQ server of its own. Its methods may be called concurrently.
type Node struct {
	installation installation
	options      Options
	folder       string
	name         string
	ports        ports
	env          []string

	mu     sync.Mutex
	server *process.Process // nil: stopped
	closed bool
}

// Start returns once the node takes connections, or ErrNotInstalled. ctx ends the start, not the node: that runs until
// it is stopped, killed or closed, or this process ends.
func Start(ctx context.Context, options Options) (*Node, error) {
	n, err := newNode(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start a RabbitMQ node: %w", err)
	}
	if err := n.Restart(ctx); err != nil {
		return nil, removeAfter(err, n.folder)
	}
	return n, nil
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

// URL is where the node takes connections, as the user guest.
func (n *Node) URL() string { return "amqp://guest:guest@" + n.Addr() + "/" }

// Addr is the node's address, 127.0.0.1 with its AMQP port, for the URLs of other users.
func (n *Node) Addr() string { return address(n.ports.amqp) }

// TLSURL is URL over TLS. The node must have been started with Options.TLS.
func (n *Node) TLSURL() string { return "amqps://guest:guest@" + n.TLSAddr() + "/" }

// TLSAddr is Addr for TLS.
func (n *Node) TLSAddr() string { return address(n.ports.tls) }

// Name is the node's full name, with the @localhost.
func (n *Node) Name() string { return n.name }

// Ctl runs rabbitmqctl with args against the node and returns what it printed. Its error has what it complained of.
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

// CtlCommand is for people: a rabbitmqctl command, to be completed, and what it needs in its environment to run against
// the node, as NAME=value. It works for the user of this process, who can read the node's cookie.
func (n *Node) CtlCommand() (env, command []string) {
	return []string{home(n.folder)}, []string{n.installation.ctl, "--node", n.name}
}

// Restart starts a node that was stopped or killed, with the data and the ports it had, and returns once it takes
// connections. ErrRunning if it runs.
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

// errEpmd means that another start may do better: nodes that start together on a busy machine can fail to start or to
// reach the epmd that they share (https://github.com/rabbitmq/rabbitmq-server/issues/5322).
var errEpmd = errors.New("epmd failed")

// epmdComplaint is what the server, or rabbitmqctl, says then.
var epmdComplaint = regexp.MustCompile(`no_epmd_port|epmd_error|epmd error|connect to epmd|nodistribution`)

// start sets server once that takes connections. Called with mu held.
func (n *Node) start(ctx context.Context) error {
	if err := checkFree(ctx, n.ports.amqp); err != nil {
		return err
	}
	server, err := process.Start(n.installation.server, n.env, n.options.Output)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.awaitStart(ctx, server); err != nil {
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

func (n *Node) awaitStart(ctx context.Context, server *process.Process) error {
	if err := awaitAMQP(ctx, server, n.ports.amqp); err != nil {
		return err
	}
	// The listeners open a little before the start is complete. This also finds out another server on our port.
	_, err := n.Ctl(ctx, "await_startup")
	return err
}

// running reports whether the server has not ended, be it by itself. Called with mu held.
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

// Kill ends the server with SIGKILL, as a crash would, and returns once it is gone.
func (n *Node) Kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.server != nil {
		n.server.Kill()
		n.server = nil
	}
}

// Stop ends the server in order, and returns once it is gone. If ctx ends first the server is killed.
func (n *Node) Stop(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stop(ctx)
}

func (n *Node) stop(ctx context.Context) error {
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

// Close stops the node and removes its folder. A second call does nothing.
func (n *Node) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return removeAfter(n.stop(ctx), n.folder)
}

// removeAfter removes folder and returns err, joined with what went wrong, if anything.
func removeAfter(err error, folder string) error {
	return errors.Join(err, os.RemoveAll(folder))
}
