package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// newReport returns the whole page, in Markdown.
func newReport(ctx context.Context, rows []*row, results map[key][]measurement, c *tableCommand) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Calls over RabbitMQ, %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(&b, "- Machine: %s\n- Versions: %s\n- Command: `%s`\n- %d rounds in turns, %s of warm-up and %s measured for each\n\n",
		machine(), versions(ctx), strings.Join(append([]string{"bench"}, os.Args[1:]...), " "), c.Rounds, c.WarmUp, c.Duration)
	b.WriteString("| Row | Callers | Requests/s (min–max) | p50 ms | p99 ms | Errors / closed " +
		"| CPU µs/request: gateway or client | broker | service " +
		"| Writes/request: gateway or client | service | Resident MiB | of " + rows[0].name + " |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, callers := range c.Callers {
		for _, r := range rows {
			b.WriteString(line(r, callers, results[key{r.name, callers}], results[key{rows[0].name, callers}]))
		}
	}
	return b.String()
}

// line is a row of the table. Each figure is the median of the rounds, errors are summed up.
func line(r *row, callers int, rounds, first []measurement) string {
	rates := values(rounds, func(m measurement) float64 { return m.rate })
	ratios := make([]float64, len(rounds))
	errors, closed := 0, 0
	for i, m := range rounds {
		ratios[i] = m.rate / first[i].rate
		errors += m.Errors
		closed += m.closed
	}
	cpu := func(of func(measurement) usage) float64 {
		return median(values(rounds, func(m measurement) float64 { return perRequest(of(m).cpu, m.Requests) }))
	}
	writes := func(of func(measurement) usage) float64 {
		return median(values(rounds, func(m measurement) float64 { return float64(of(m).writes) / float64(max(m.Requests, 1)) }))
	}
	front := func(m measurement) usage { return m.front }
	services := func(m measurement) usage { return m.services }
	p50 := median(values(rounds, func(m measurement) float64 { return float64(m.P50) }))
	p99 := median(values(rounds, func(m measurement) float64 { return float64(m.P99) }))
	resident := median(values(rounds, func(m measurement) float64 { return float64(m.front.resident) }))
	return fmt.Sprintf("| %s | %d | %.0f (%.0f–%.0f) | %s | %s | %d / %d | %.0f | %.0f | %.0f | %.2f | %.2f | %.0f | %.2f |\n",
		r.name, callers, median(rates), slices.Min(rates), slices.Max(rates), milliseconds(p50), milliseconds(p99), errors, closed,
		cpu(front), cpu(func(m measurement) usage { return m.broker }), cpu(services), writes(front), writes(services),
		resident/(1<<20), median(ratios))
}

func milliseconds(ns float64) string { return fmt.Sprintf("%.2f", ns/1e6) }

func values(rounds []measurement, of func(measurement) float64) []float64 {
	out := make([]float64, len(rounds))
	for i, m := range rounds {
		out[i] = of(m)
	}
	return out
}

// median is the mean of the two in the middle of an even number.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func machine() string {
	model := "unknown processor"
	data, _ := os.ReadFile("/proc/cpuinfo") // without it there is no name
	for line := range strings.Lines(string(data)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%s, %d cores, %s/%s", model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
}

func versions(ctx context.Context) string {
	return strings.Join([]string{
		runtime.Version(),
		"RabbitMQ " + output(ctx, "dpkg-query", "--show", "--showformat=${Version}", "rabbitmq-server"),
		output(ctx, "wrk", "-v"),
		"commit " + output(ctx, "git", "describe", "--always", "--dirty"),
	}, "; ")
}

// output is the first line that a command prints. Some print their version on an error.
func output(ctx context.Context, name string, args ...string) string {
	out, _ := exec.CommandContext(ctx, name, args...).CombinedOutput()
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return cmp.Or(strings.TrimSpace(string(line)), "unknown")
}

// save writes the report to a file of the day.
func (c *tableCommand) save(report string) error {
	if c.Results == "" {
		return nil
	}
	if err := os.MkdirAll(c.Results, 0o755); err != nil { //nolint:gosec // everyone may read it
		return fmt.Errorf("save the table: %w", err)
	}
	file := filepath.Join(c.Results, time.Now().UTC().Format(time.DateOnly)+".md")
	if err := os.WriteFile(file, []byte(report), 0o644); err != nil { //nolint:gosec // see above
		return fmt.Errorf("save the table: %w", err)
	}
	return nil
}
