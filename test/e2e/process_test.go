package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds each wait. Nothing takes this long unless it is broken.
const patience = 60 * time.Second

// process is one running service.
type process struct {
	service string
	admin   string // address of its admin listener
	cmd     *exec.Cmd
	output  *output
	done    chan struct{}
	err     error // valid once done is closed
}

// output is what a process wrote, readable while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start starts a service with nothing in its environment but what it is given. It is stopped with the test.
func start(t *testing.T, service, dir string, env ...string) *process {
	t.Helper()
	p := &process{service: service, admin: freeAddr(t), output: &output{}, done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(programs, service))
	p.cmd.Dir = dir
	p.cmd.Env = append([]string{"BROKER_URL=" + brokerURL(service), "ADMIN_ADDR=" + p.admin, "LOG_FORMAT=text"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", service, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("what %s wrote:\n%s", service, p.output)
		}
	})
	return p
}

// brokerURL is the node's, for the user that the service has in production.
func brokerURL(service string) string {
	return fmt.Sprintf("amqp://%s:%s-development@%s/", service, service, node.Addr())
}

// stop ends the process in order. A second stop does nothing.
func (p *process) stop(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
		return
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop %s: %v", p.service, err)
	}
	select {
	case <-p.done:
		if p.err != nil {
			t.Errorf("%s ended with %v", p.service, p.err)
		}
	case <-time.After(patience):
		t.Errorf("%s did not stop", p.service)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// awaitReady waits until the service says that it is ready.
func (p *process) awaitReady(t *testing.T) {
	t.Helper()
	poll(t, p.service+" ready", func(ctx context.Context) error {
		select {
		case <-p.done:
			t.Fatalf("%s ended before it was ready: %v\n%s", p.service, p.err, p.output)
		default:
		}
		status, body, err := fetch(ctx, "http://"+p.admin+"/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d: %s", status, body)
		}
		return err
	})
}

// metric returns the value of a metric without labels.
func (p *process) metric(t *testing.T, name string) string {
	t.Helper()
	_, body, err := fetch(t.Context(), "http://"+p.admin+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no metric %s in:\n%s", name, body)
	return ""
}

// poll tries until f succeeds.
func poll(t *testing.T, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, patience, errors.Join(err, ctx.Err()))
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
