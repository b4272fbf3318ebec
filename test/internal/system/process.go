package system

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/process"
)

// Process is a running service.
type Process struct {
	Service string
	Admin   string // address of the admin listener

	process     *process.Process
	output      output
	expectedEnd bool // an end does not fail the test
}

// output records what a process writes. It can be read while the process runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns what was written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Output returns what the process has written so far.
func (p *Process) Output() string { return p.output.String() }

// PID returns the process ID.
func (p *Process) PID() int { return p.process.PID() }

// Alive reports whether the process runs.
func (p *Process) Alive() bool {
	select {
	case <-p.process.Done():
		return false
	default:
		return true
	}
}

// Wait waits for the process to end by itself. Its error is nil for exit status 0.
func (p *Process) Wait(t *testing.T) error {
	t.Helper()
	p.expectedEnd = true
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	select {
	case <-p.process.Done():
		return p.process.Wait()
	case <-ctx.Done():
		t.Fatalf("%s did not end: %v", p.Service, ctx.Err())
		return nil
	}
}

// Stop sends SIGTERM and waits for the end. An exit status other than 0 fails the test. A second Stop does nothing.
func (p *Process) Stop(t *testing.T) {
	t.Helper()
	if p.expectedEnd && !p.Alive() {
		return
	}
	if !p.Alive() {
		t.Errorf("%s ended by itself: %v", p.Service, p.process.Wait())
		return
	}
	p.expectedEnd = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Patience)
	defer cancel()
	if err := p.process.Stop(ctx); err != nil {
		t.Errorf("%s did not stop: %v", p.Service, err)
		return
	}
	if err := p.process.Wait(); err != nil {
		t.Errorf("%s stopped with %v", p.Service, err)
	}
}

// Kill ends the process with SIGKILL, as a crash would.
func (p *Process) Kill() {
	p.expectedEnd = true
	p.process.Kill()
}

// shownOutput is how many bytes of a process's output a failed test shows: under load, processes write a lot.
const shownOutput = 64 << 10

func (p *Process) cleanUp(t *testing.T) {
	t.Helper()
	p.Stop(t)
	if t.Failed() {
		out := p.Output()
		t.Logf("the end of the output of %s:\n%s", p.Service, out[max(0, len(out)-shownOutput):])
	}
}

// AwaitReady waits until /readyz reports that the service is ready.
func (p *Process) AwaitReady(t *testing.T) {
	t.Helper()
	awaittest.Success(t, p.Service+" ready", func(ctx context.Context) error {
		if !p.Alive() {
			t.Fatalf("%s ended before it was ready: %v\n%s", p.Service, p.process.Wait(), p.Output())
		}
		return p.Ready(ctx, http.StatusOK, "")
	})
}

// AwaitNotReady waits until /readyz reports that the service is not ready, for a reason that contains why.
func (p *Process) AwaitNotReady(t *testing.T, why string) {
	t.Helper()
	awaittest.Success(t, p.Service+" not ready", func(ctx context.Context) error {
		return p.Ready(ctx, http.StatusServiceUnavailable, why)
	})
}

// Ready returns an error unless /readyz responds with status and a body that contains why.
func (p *Process) Ready(ctx context.Context, status int, why string) error {
	got, body, err := Fetch(ctx, "http://"+p.Admin+"/readyz")
	if err != nil {
		return err
	}
	if got != status || !strings.Contains(body, why) {
		return fmt.Errorf("status %d: %s, want status %d with %q", got, body, status, why)
	}
	return nil
}

// Metric is Measure for a test, which fails without such a series.
func (p *Process) Metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	sum, err := p.Measure(t.Context(), name, labels...)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// Measure returns the sum of a metric's series; see the function Metric.
func (p *Process) Measure(ctx context.Context, name string, labels ...string) (float64, error) {
	return Metric(ctx, p.Admin, name, labels...)
}
