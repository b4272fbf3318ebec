// Package load makes calls from a fixed number of callers, each as fast as its replies come, and measures them.
package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"time"
)

// Started is the line that Report writes when the measured time begins.
const Started = "started"

// Options are flags of a program that makes load.
type Options struct {
	Callers  int           `default:"1" help:"Number of callers. Each waits for its reply before the next call."`
	WarmUp   time.Duration `default:"1s" help:"Time before the measurement."`
	Duration time.Duration `default:"3s" help:"Measured time."`

	PendingBytes float64 `kong:"-"` // copied to the Result
}

// Result is a measurement. Requests counts the right replies within the measured time.
type Result struct {
	Requests int           `json:"requests"`
	Errors   int           `json:"errors"`
	Duration time.Duration `json:"duration_ns"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	Error    string        `json:"error,omitempty"` // first one

	PendingBytes float64 `json:"pending_bytes,omitempty"` // memory of each pending call
}

// replyTimeout is how long after the measured time a reply may come.
const replyTimeout = 10 * time.Second

// Call makes one request and checks the reply. It must return soon after the end of ctx, and counts as an error then.
type Call func(ctx context.Context) error

// caller is what one caller measured.
type caller struct {
	latencies []time.Duration
	errors    int
	err       error // first one
}

// Run makes the load and calls started when the measured time begins.
func Run(ctx context.Context, o Options, call Call, started func()) Result {
	start := time.Now().Add(o.WarmUp)
	end := start.Add(o.Duration)
	ctx, cancel := context.WithDeadline(ctx, end.Add(replyTimeout))
	defer cancel()
	callers := make([]caller, o.Callers)
	var running sync.WaitGroup
	for i := range callers {
		running.Go(func() { callers[i].run(ctx, call, start, end) })
	}
	select {
	case <-time.After(time.Until(start)):
		started()
	case <-ctx.Done():
	}
	running.Wait()
	result := sum(callers, o.Duration)
	result.PendingBytes = o.PendingBytes
	return result
}

func (c *caller) run(ctx context.Context, call Call, start, end time.Time) {
	for ctx.Err() == nil {
		begun := time.Now()
		err := call(ctx)
		ended := time.Now()
		switch {
		case ctx.Err() != nil:
			c.fail(context.Cause(ctx))
			return
		case !ended.Before(end):
			return
		case ended.Before(start):
		case err != nil:
			c.fail(err)
		default:
			c.latencies = append(c.latencies, ended.Sub(begun))
		}
	}
}

func (c *caller) fail(err error) {
	c.errors++
	if c.err == nil {
		c.err = err
	}
}

func sum(callers []caller, duration time.Duration) Result {
	r := Result{Duration: duration}
	var latencies []time.Duration
	for _, c := range callers {
		latencies = append(latencies, c.latencies...)
		r.Errors += c.errors
		if r.Error == "" && c.err != nil {
			r.Error = c.err.Error()
		}
	}
	slices.Sort(latencies)
	r.Requests = len(latencies)
	r.P50, r.P99 = percentile(latencies, 0.50), percentile(latencies, 0.99)
	return r
}

// percentile returns the smallest of the sorted values that a share p of them does not exceed, or 0 for no values.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}

// Report runs the load. It writes Started, and then the Result as a line of JSON, to the standard output. It waits for the end
// of the standard input, so that the process can be examined until then.
func Report(ctx context.Context, o Options, call Call) error {
	result := Run(ctx, o, call, func() { fmt.Fprintln(os.Stdout, Started) })
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// ReadReport reads the output of Report, and calls started when the measured time begins.
func ReadReport(r io.Reader, started func()) (Result, error) {
	var result Result
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if lines.Text() == Started {
			started()
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &result); err != nil {
			return result, fmt.Errorf("read the result %q: %w", lines.Text(), err)
		}
		return result, nil
	}
	if err := lines.Err(); err != nil {
		return result, fmt.Errorf("read the result: %w", err)
	}
	return result, fmt.Errorf("read the result: %w", io.ErrUnexpectedEOF)
}
