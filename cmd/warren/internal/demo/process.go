package demo

import (
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

const (
	// killDelay is how long a process may take to stop before it is killed: somewhat more than it gives itself.
	killDelay = stopTimeout + 5*time.Second
	// outputDelay is how long a process's own children may hold its output open after its end.
	outputDelay = time.Second
)

// process is a service that runs in its own process.
type process struct {
	name      string
	cmd       *exec.Cmd
	output    *tail
	killDelay time.Duration
	done      chan struct{}
	result    error // why it has ended, once done is closed
}

// startProcess runs the program at path with env as its whole environment.
func startProcess(name, path string, env []string, logs io.Writer) (*process, error) {
	p := &process{
		name:      name,
		cmd:       exec.Command(path), //nolint:gosec,noctx // findPrograms found it; stop ends it
		output:    &tail{next: logs},
		killDelay: killDelay,
		done:      make(chan struct{}),
	}
	p.cmd.Env = env
	p.cmd.Stdout = p.output
	p.cmd.Stderr = p.output
	p.cmd.WaitDelay = outputDelay
	p.cmd.SysProcAttr = processAttributes()
	started := make(chan error)
	go func() {
		// The kernel ends the process when the thread that started it ends, so this one has to last.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.result = p.wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

func (p *process) wait() error {
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s (pid %d): %w; its log ends with:\n%s", p.name, p.pid(), err, p.output)
	}
	return nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) ended() <-chan struct{} { return p.done }

func (p *process) err() error {
	<-p.done
	return p.result
}

// stop has the process stop in order. One that takes too long is killed.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it fails only if the process has ended
	timer := time.AfterFunc(p.killDelay, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	<-p.done
}

func (p *process) notice() string {
	return fmt.Sprintf("\n%s (pid %d) was stopped. This starts another, which you have to stop yourself:\n\n  %s\n",
		p.name, p.pid(), p.commandLine())
}

// commandLine starts the process again, from a shell.
func (p *process) commandLine() string { return commandLine(p.cmd.Env, p.cmd.Path) }
