package process_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/process"
)

// start returns a process with the role once it has started, and its output from then on.
func start(t *testing.T, role string) (*process.Process, *bufio.Reader) {
	t.Helper()
	reader, writer := io.Pipe()
	p, err := process.Start(os.Args[0], environment(role), writer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	t.Cleanup(func() { _ = reader.Close() }) // a print that nothing reads would block the process
	output := bufio.NewReader(reader)
	wantLine(t, output, "started")
	return p, output
}

func wantLine(t *testing.T, output *bufio.Reader, want string) {
	t.Helper()
	if got, err := output.ReadString('\n'); err != nil || strings.TrimSpace(got) != want {
		t.Errorf("output = %q, %v; want %s", got, err, want)
	}
}

func TestFails(t *testing.T) {
	p, output := start(t, "crash")
	wantLine(t, output, "cannot continue")
	var exit *exec.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("Wait = %v, want exit status 3", err)
	}
	if got, want := p.Tail(), "started\ncannot continue"; got != want {
		t.Errorf("Tail = %q, want %q", got, want)
	}
}

func TestStop(t *testing.T) {
	p, output := start(t, "obey")
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop(t.Context()) }()
	wantLine(t, output, "stopping")
	if err := <-stopped; err != nil {
		t.Errorf("Stop = %v", err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("Wait = %v", err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("second Stop = %v", err)
	}
}

func TestStopKills(t *testing.T) {
	p, _ := start(t, "ignore")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop = %v, want context.DeadlineExceeded", err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("Stop returned before the end")
	}
	if err := p.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("Wait = %v, want signal: killed", err)
	}
}

func TestMissing(t *testing.T) {
	const path = "/nowhere/orders"
	if _, err := process.Start(path, nil, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("Start = %v, want an error that %s is missing", err, path)
	}
}

// A process continues when the reader of its output does not.
func TestReaderIsGone(t *testing.T) {
	reader, writer := io.Pipe()
	_ = reader.Close()
	p, err := process.Start(os.Args[0], environment("crash"), writer)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
	if got, want := p.Tail(), "started\ncannot continue"; got != want {
		t.Errorf("Tail = %q, want %q", got, want)
	}
}
