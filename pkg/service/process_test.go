package service_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/fx"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/process"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
)

// child returns the service that the test binary turns into.
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

// startChild starts the test binary as a service whose broker is unreachable.
func startChild(t *testing.T, mode string, env ...string) (*process.Process, *servicetest.Log) {
	t.Helper()
	log := new(servicetest.Log)
	env = append(env, childVariable+"="+mode, "BROKER_URL=amqp://user:secret@127.0.0.1:1/")
	p, err := process.Start(os.Args[0], append(os.Environ(), env...), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p, log
}

func signal(t *testing.T, p *process.Process, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.PID(), s); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

// wait returns the result of a process that is about to end.
func wait(t *testing.T, p *process.Process) error {
	t.Helper()
	awaittest.Receive(t, p.Done(), "end of the process")
	return p.Wait()
}

func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}

func TestMainStopsOnSignal(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			p, log := startChild(t, "runs")
			log.Await(t, "service started")
			signal(t, p, s)
			if err := wait(t, p); err != nil {
				t.Errorf("%v\n%s", err, log)
			}
			if len(log.Entries("service stopped")) != 1 {
				t.Errorf("the service did not stop in order\n%s", log)
			}
			if strings.Contains(log.String(), "secret") {
				t.Errorf("the log shows a password\n%s", log)
			}
		})
	}
}

func TestMainExitsAtOnceOnSecondSignal(t *testing.T) {
	p, log := startChild(t, "never ends", "STOP_TIMEOUT=1h")
	log.Await(t, "service started")
	signal(t, p, syscall.SIGTERM)
	log.Await(t, "service stopping")
	awaittest.Until(t, "end of the process", func() bool {
		signal(t, p, syscall.SIGTERM)
		select {
		case <-p.Done():
			return true
		default:
			return false
		}
	})
	if err := p.Wait(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("the process ended with %v\n%s", err, log)
	}
}

func TestMainLogsAnErrorOnce(t *testing.T) {
	p, log := startChild(t, "fails")
	if err := wait(t, p); exitCode(err) != 1 {
		t.Errorf("the process ended with %v", err)
	}
	entries := log.Entries("service failed")
	if len(entries) != 1 || entries[0]["error"] != "no disk" || entries[0]["service"] != "child" {
		t.Errorf("entries %v", entries)
	}
	if n := strings.Count(log.String(), "no disk"); n != 1 {
		t.Errorf("the error is logged %d times\n%s", n, log)
	}
}

func TestMainRejectsWrongSettings(t *testing.T) {
	p, log := startChild(t, "runs", "RPC_TIMEOUT=soon")
	if err := wait(t, p); exitCode(err) != 2 {
		t.Errorf("the process ended with %v", err)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "child: RPC_TIMEOUT ") {
		t.Errorf("output:\n%s", text)
	}
}
