package rabbitmqnode

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a running server.
type process struct {
	cmd    *exec.Cmd
	output *tail
	done   chan struct{} // closed when it has ended
}

// outputDelay is how long an ended server's children may hold its output open.
const outputDelay = 5 * time.Second

func startProcess(path string, env []string, output io.Writer) (*process, error) {
	cmd := exec.Command(path) //nolint:noctx // it outlives the call that starts it
	p := &process{cmd: cmd, output: &tail{next: output}, done: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.Stdout = p.output
	p.cmd.Stderr = p.output
	p.cmd.WaitDelay = outputDelay
	p.cmd.SysProcAttr = processAttributes()
	started := make(chan error)
	go func() {
		// The kernel ends the server when the thread that started it ends, so this one has to last.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = p.cmd.Wait() // how a server ended doesn't matter: it was asked to, or its output is in the error
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start rabbitmq-server: %w", err)
	}
	return p, nil
}

// kill ends the server at once, as a crash would, and waits until it has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it fails only if the server has ended
	<-p.done
}

// stop has the server close its files and connections in order. If ctx ends first it is killed.
func (p *process) stop(ctx context.Context) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // as for Kill
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("stop rabbitmq-server: %w", ctx.Err())
	}
}
