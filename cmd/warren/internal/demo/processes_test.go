package demo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/warren/cmd/warren/internal/browsertest"
	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/process/processtest"
	"example.com/warren/services/gateway"
)

// build builds the programs of make build into folder.
func build(t *testing.T, folder string) {
	t.Helper()
	programs := []string{"example.com/warren/cmd/warren"}
	for _, s := range services.All() {
		programs = append(programs, "example.com/warren/services/"+s.Name+"/cmd/"+s.Name)
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"build", "-trimpath", "-o", folder}, programs...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// program is a running command.
type program struct {
	cmd       *exec.Cmd
	out, logs *output
	ended     chan struct{}
	err       error // once ended is closed
}

func startProgram(t *testing.T, env []string, path string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), testTimeout)
	p := &program{cmd: exec.CommandContext(ctx, path, args...), out: newOutput(), logs: newOutput(), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout = p.out
	p.cmd.Stderr = p.logs
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(os.Interrupt)
		<-p.ended
		cancel()
		if t.Failed() {
			t.Logf("%s ended: %v\n%s%s", path, p.err, p.out, p.logs)
		}
	})
	return p
}

// stop interrupts the program as Ctrl-C does, and waits for its end.
func (p *program) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(os.Interrupt)
	<-p.ended // the command's context bounds it
	if p.err != nil {
		t.Error(p.err)
	}
}

// TestLongProcesses runs the built programs over a real RabbitMQ. It takes about 20 s on an idle machine.
func TestLongProcesses(t *testing.T) {
	bin := t.TempDir()
	build(t, bin)
	t.Run("until Ctrl-C", func(t *testing.T) {
		temp := t.TempDir()
		warren := startDemo(t, bin, temp)
		guide := warren.out.await(t, "list_queues", warren.ended)
		tryGuide(t, guide)
		tryQueues(t, guide)
		tryConsole(t, guide, "rabbitmq")
		call := lineWith(t, guide, "export BROKER_URL=") + "\n" + lineWith(t, guide, "warren call ")
		if out := newShell(t, guide).run(t, call); !strings.HasPrefix(out, "204 No Content\r\n") {
			t.Errorf("the call prints %q", out)
		}
		t.Run("page", func(t *testing.T) {
			p := browsertest.Start(t).Open(t, consoleURL(t, guide), browsertest.Desktop)
			tryRoutes(t, p)
			tryDeadLetter(t, p, strings.Trim(strings.TrimPrefix(lineWith(t, guide, "export BROKER_URL="), "export BROKER_URL="), "'"))
			tryRestart(t, guide, warren) // leaves the service stopped
			wantDown(p)
		})
		warren.stop(t)
		assertEmpty(t, temp)
		processtest.AwaitNone(t, temp)
	})
	t.Run("until a service fails", func(t *testing.T) {
		temp := t.TempDir()
		warren := startDemo(t, bin, temp)
		guide := warren.out.await(t, "list_queues", warren.ended)
		pid := regexp.MustCompile(`access-control +pid (\d+)`).FindStringSubmatch(guide)
		if pid == nil {
			t.Fatalf("no pid of access-control in:\n%s", guide)
		}
		newShell(t, guide).run(t, "kill -9 "+pid[1])
		<-warren.ended
		want := "access-control (pid " + pid[1] + "): signal: killed"
		if got := warren.cmd.ProcessState.ExitCode(); got != 1 {
			t.Errorf("exit status = %d, want 1", got)
		}
		if !strings.Contains(warren.logs.String(), want) {
			t.Errorf("the demo does not print %q:\n%s", want, warren.logs)
		}
		assertEmpty(t, temp)
		processtest.AwaitNone(t, temp)
	})
}

// startDemo starts a demo with temp as its folder for temporary files.
func startDemo(t *testing.T, bin, temp string) *program {
	t.Helper()
	return startProgram(t, append(leftOver, "TMPDIR="+temp), filepath.Join(bin, "warren"), "demo", "--broker=rabbitmq",
		"--addr=127.0.0.1:0", "--console=127.0.0.1:0")
}

// tryQueues runs the guide's rabbitmqctl.
func tryQueues(t *testing.T, guide string) {
	t.Helper()
	table := newShell(t, guide).run(t, lineWith(t, guide, "list_queues"))
	queues := []string{"gateway.rpc.response"}
	for _, r := range gateway.Routes() {
		queues = append(queues, r.Queue)
	}
	for _, queue := range queues {
		if want := "\n" + queue + "\ttrue\tfalse\tfalse\t1"; !strings.Contains(table, want) {
			t.Errorf("no %q among the queues:\n%s", want, table)
		}
	}
}

// tryRestart stops a service and starts it again with the commands of the guide, if it has them: a system may have no service
// that they fit.
func tryRestart(t *testing.T, guide string, warren *program) {
	t.Helper()
	if !strings.Contains(guide, "# stop ") {
		return
	}
	sh := newShell(t, guide)
	stop, command := lineWith(t, guide, "kill "), lineWith(t, guide, "env -i ")
	_, call, _ := strings.Cut(guide, stop)
	call, _, _ = strings.Cut(call, "&\n")
	sh.run(t, stop)
	notice := warren.out.await(t, "was stopped", warren.ended)
	if strings.Count(notice, command) != 2 {
		t.Errorf("the notice does not have the command that starts the service again, %s:\n%s", command, notice)
	}
	restarted := startProgram(t, leftOver, "/bin/sh", "-c", "exec "+command)
	if got := sh.run(t, call); got != "200\n" {
		t.Errorf("got %q from the service after its restart, want status 200", got)
	}
	restarted.stop(t)
}
