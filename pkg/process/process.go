// Package process runs child processes that end with this one, for tests and demonstrations.
package process

import (
	"context"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// outputDelay is how long the children of a process that has ended may hold its output open.
const outputDelay = 5 * time.Second

// Process is a child process. On Linux a Ctrl-C in the terminal doesn't reach it, and it is killed if this process ends
// without having stopped it. Its methods may be called concurrently.
type Process struct {
	cmd    *exec.Cmd
	output *tail
	done   chan struct{} // closed when it has ended
	err    error         // of its end, once done is closed
}

// Start runs the program at path with env as its whole environment. What it prints goes to output, unless that is nil.
func Start(path string, env []string, output io.Writer) (*Process, error) {
	cmd := exec.Command(path) //nolint:noctx // it outlives the call that starts it
	p := &Process{cmd: cmd, output: &tail{next: output}, done: make(chan struct{})}
	cmd.Env = env
	cmd.Stdout = p.output
	cmd.Stderr = p.output
	cmd.WaitDelay = outputDelay
	cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		// The kernel ends the process when the thread that started it ends, so this one has to last.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when it has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait returns once it has ended: nil if its exit status was 0, else the error of exec.Cmd's Wait.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Tail is the end of what it has printed.
func (p *Process) Tail() string { return p.output.String() }

// Kill ends it at once, as a crash would, and returns when it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it fails only if the process has ended
	<-p.done
}

// Stop sends SIGTERM and returns when the process has ended. If ctx ends first the process is killed, and the error is
// that of ctx.
func (p *Process) Stop(ctx context.Context) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // as for Kill
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.Kill()
		return ctx.Err()
	}
}
