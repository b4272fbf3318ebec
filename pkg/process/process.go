// Package process runs child processes that end together with their parent, for tests and demonstrations.
package process

import (
	"context"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// outputDelay is how long the children of an ended process may keep its output open.
const outputDelay = 5 * time.Second

// Process is a child process. On Linux, a Ctrl-C in the terminal does not reach it, and the kernel kills it if its parent
// ends without having stopped it. Its methods may be called concurrently.
type Process struct {
	cmd    *exec.Cmd
	output *tail
	done   chan struct{} // closed when the process has ended
	err    error         // result of cmd.Wait; written before done is closed
}

// Start runs the program at path with env as its whole environment. Its standard output and error go to output, unless
// output is nil.
func Start(path string, env []string, output io.Writer) (*Process, error) {
	cmd := exec.Command(path) //nolint:noctx // the process outlives the call that starts it
	p := &Process{cmd: cmd, output: &tail{next: output}, done: make(chan struct{})}
	cmd.Env = env
	cmd.Stdout = p.output
	cmd.Stderr = p.output
	cmd.WaitDelay = outputDelay
	cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		// The kernel kills the process when the thread that started it ends (PR_SET_PDEATHSIG), so keep the thread.
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

// PID returns the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the process. It returns nil if the exit status is 0, and otherwise the error of exec.Cmd.Wait.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Tail returns the last 64 KiB that the process has printed.
func (p *Process) Tail() string { return p.output.String() }

// Kill ends the process at once, like a crash, and returns when it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails only if the process has ended
	<-p.done
}

// Stop sends SIGTERM and returns when the process has ended. If ctx ends first, Stop kills the process and returns the
// error of ctx.
func (p *Process) Stop(ctx context.Context) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // see Kill
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.Kill()
		return ctx.Err()
	}
}
