package service_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/fx"

	"example.com/warren/pkg/service"
)

// child is the service that the test binary becomes.
func child(mode string) service.Service {
	hooks := map[string]fx.Hook{
		"runs":       {},
		"fails":      {OnStart: func(context.Context) error { return errors.New("no disk") }},
		"never ends": {OnStop: func(context.Context) error { select {} }},
	}
	return service.Service{
		Name:   "child",
		Module: fx.Invoke(func(l fx.Lifecycle) { l.Append(hooks[mode]) }),
	}
}

type process struct {
	command *exec.Cmd
	log     *log
	exited  chan error
}

// startChild starts the test binary as a service whose broker does not answer.
func startChild(t *testing.T, mode string, env ...string) *process {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), childVariable+"="+mode, "BROKER_URL=amqp://user:secret@127.0.0.1:1/")
	command.Env = append(command.Env, env...)
	p := &process{command: command, log: newLog(), exited: make(chan error, 1)}
	command.Stdout, command.Stderr = io.Discard, p.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.exited <- command.Wait()
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
	})
	return p
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

func (p *process) await(t *testing.T) *os.ProcessState {
	t.Helper()
	select {
	case <-p.exited:
		return p.command.ProcessState
	case <-time.After(testTimeout):
		t.Fatalf("the process does not end\n%s", p.log)
		return nil
	}
}

func TestMainStopsOnSignal(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			p := startChild(t, "runs")
			p.log.await(t, "service started")
			p.signal(t, s)
			if state := p.await(t); state.ExitCode() != 0 {
				t.Errorf("%s\n%s", state, p.log)
			}
			if len(p.log.entries("service stopped")) != 1 {
				t.Errorf("not stopped in order\n%s", p.log)
			}
			if strings.Contains(p.log.String(), "secret") {
				t.Errorf("the log shows a password\n%s", p.log)
			}
		})
	}
}

func TestMainEndsAtOnceOnSecondSignal(t *testing.T) {
	p := startChild(t, "never ends")
	p.log.await(t, "service started")
	p.signal(t, syscall.SIGTERM)
	p.log.await(t, "service stopping")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(testTimeout) // STOP_TIMEOUT is longer
	for {
		select {
		case <-tick.C:
			p.signal(t, syscall.SIGTERM)
		case <-p.exited:
			if status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
				t.Errorf("%s\n%s", p.command.ProcessState, p.log)
			}
			return
		case <-timeout:
			t.Fatalf("the process does not end\n%s", p.log)
		}
	}
}

func TestMainLogsAnErrorOnce(t *testing.T) {
	p := startChild(t, "fails")
	if state := p.await(t); state.ExitCode() != 1 {
		t.Errorf("%s", state)
	}
	entries := p.log.entries("service failed")
	if len(entries) != 1 || entries[0]["error"] != "no disk" || entries[0]["service"] != "child" {
		t.Errorf("entries %v", entries)
	}
	if n := strings.Count(p.log.String(), "no disk"); n != 1 {
		t.Errorf("the error is logged %d times\n%s", n, p.log)
	}
}

func TestMainRefusesWrongSettings(t *testing.T) {
	p := startChild(t, "runs", "RPC_TIMEOUT=soon")
	if state := p.await(t); state.ExitCode() != 2 {
		t.Errorf("%s", state)
	}
	lines, _ := p.log.snapshot()
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "child: RPC_TIMEOUT ") {
		t.Errorf("output:\n%s", p.log)
	}
}
