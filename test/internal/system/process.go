package system

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/process"
)

// Process is a service that runs.
type Process struct {
	Service string
	Admin   string // address of its admin listener

	process  *process.Process
	output   output
	expected bool // its end
}

// output is what a process wrote, readable while it runs.
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

// Output is all that it has written so far.
func (p *Process) Output() string { return p.output.String() }

// PID is its process id.
func (p *Process) PID() int { return p.process.PID() }

// Alive reports whether it runs.
func (p *Process) Alive() bool {
	select {
	case <-p.process.Done():
		return false
	default:
		return true
	}
}

// Wait waits for an end that the test expects, and returns its error, which is nil for exit status 0.
func (p *Process) Wait(t *testing.T) error {
	t.Helper()
	p.expected = true
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

// Stop ends it in order with SIGTERM; any exit status but 0 fails the test. A second stop does nothing.
func (p *Process) Stop(t *testing.T) {
	t.Helper()
	if p.expected && !p.Alive() {
		return
	}
	if !p.Alive() {
		t.Errorf("%s ended by itself: %v", p.Service, p.process.Wait())
		return
	}
	p.expected = true
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

// Kill ends it with SIGKILL, as a crash would.
func (p *Process) Kill() {
	p.expected = true
	p.process.Kill()
}

// shownOutput is how many bytes of its output a failed test shows: under load, processes write a lot.
const shownOutput = 64 << 10

func (p *Process) cleanUp(t *testing.T) {
	t.Helper()
	p.Stop(t)
	if t.Failed() {
		out := p.Output()
		t.Logf("what %s wrote, at the end:\n%s", p.Service, out[max(0, len(out)-shownOutput):])
	}
}

// AwaitReady waits until the service says that it is ready.
func (p *Process) AwaitReady(t *testing.T) {
	t.Helper()
	awaittest.Success(t, p.Service+" ready", func(ctx context.Context) error {
		if !p.Alive() {
			t.Fatalf("%s ended before it was ready: %v\n%s", p.Service, p.process.Wait(), p.Output())
		}
		return p.Ready(ctx, http.StatusOK, "")
	})
}

// AwaitNotReady waits until the service says that it is not, for a reason that contains why.
func (p *Process) AwaitNotReady(t *testing.T, why string) {
	t.Helper()
	awaittest.Success(t, p.Service+" not ready", func(ctx context.Context) error {
		return p.Ready(ctx, http.StatusServiceUnavailable, why)
	})
}

// Ready returns an error unless /readyz answers with status and a body that contains why.
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

// Metric returns the sum of a metric's series, of those with the labels if any are given: a name and a value each. A
// metric without such a series fails the test.
func (p *Process) Metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	sum, err := p.Measure(t.Context(), name, labels...)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// Measure is Metric for a process or a series that may not be there.
func (p *Process) Measure(ctx context.Context, name string, labels ...string) (float64, error) {
	_, body, err := Fetch(ctx, "http://"+p.Admin+"/metrics")
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	for line := range strings.Lines(body) {
		value, ok := valueOf(strings.TrimSpace(line), name, labels)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum, found = sum+n, true
	}
	if !found {
		return 0, fmt.Errorf("no metric %s %q of %s", name, labels, p.Service)
	}
	return sum, nil
}

// valueOf returns the value of a line in Prometheus' text format, if it is of the metric and has the labels
// (https://prometheus.io/docs/instrumenting/exposition_formats/). The values of our labels hold no spaces or quotes.
func valueOf(line, name string, labels []string) (string, bool) {
	series, value, _ := strings.Cut(line, " ")
	got, set, _ := strings.Cut(series, "{")
	if got != name {
		return "", false
	}
	for i := 0; i+1 < len(labels); i += 2 {
		label := fmt.Sprintf("%s=%q", labels[i], labels[i+1])
		if !strings.HasPrefix(set, label) && !strings.Contains(set, ","+label) {
			return "", false
		}
	}
	return value, true
}
