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

// newReport returns the page in Markdown.
func newReport(ctx context.Context, broker string, rows []*row, results map[key][]measurement, c *tableCommand) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Calls over RabbitMQ, %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(&b, "- Machine: %s\n- Versions: %s\n- Command: `%s`\n- %d rounds in turns, %s of warm-up and %s measured for each\n\n",
		machine(), versions(ctx, broker), strings.Join(append([]string{"bench"}, os.Args[1:]...), " "), c.Rounds, c.WarmUp, c.Duration)
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

// growthReport returns the second table. Held is the memory of a waiting HTTP request in bytes.
func growthReport(growths []growth, held float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nHow the cost of a call over pkg/rpc grows, with %d callers; %s of warm-up and %s measured for each:\n\n",
		growthLoad.Callers, growthLoad.WarmUp, growthLoad.Duration)
	b.WriteString("| With | | Requests/s (min–max) | p50 ms | p99 ms | Errors / closed " +
		"| CPU µs/request: client | broker | services | Bytes per pending call | of the first |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, g := range growths {
		for _, p := range g.points {
			b.WriteString(growthLine(g, p))
		}
	}
	fmt.Fprintf(&b, "\nAn HTTP request that waits for its reply takes %.0f bytes of the gateway, its connection included; "+
		"%d waited at once.\n", held, heldRequests)
	return b.String()
}

func growthLine(g growth, p *point) string {
	s := summarize(p.rounds, g.points[0].rounds)
	bytes := "" // for a single call the figure is noise
	if perCall := median(values(p.rounds, func(m measurement) float64 { return m.PendingBytes })); perCall > 0 && p.value != "1" {
		bytes = fmt.Sprintf("%.0f", perCall)
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %.0f | %.0f | %.0f | %s | %.2f |\n",
		g.quantity, p.value, s.rate, s.p50, s.p99, s.errors, s.front.cpu, s.broker.cpu, s.services.cpu, bytes, s.ratio)
}

// line returns a row of the table.
func line(r *row, callers int, rounds, first []measurement) string {
	s := summarize(rounds, first)
	return fmt.Sprintf("| %s | %d | %s | %s | %s | %s | %.0f | %.0f | %.0f | %.2f | %.2f | %.0f | %.2f |\n",
		r.name, callers, s.rate, s.p50, s.p99, s.errors,
		s.front.cpu, s.broker.cpu, s.services.cpu, s.front.writes, s.services.writes, s.resident/(1<<20), s.ratio)
}

// summary is what the tables show of some rounds: medians, and the sum of errors.
type summary struct {
	rate, p50, p99, errors  string
	front, broker, services perCall
	resident                float64 // bytes
	ratio                   float64 // of rates to those of the first row in the same rounds
}

// perCall is what one call costs a process.
type perCall struct{ cpu, writes float64 } // microseconds, system calls

func summarize(rounds, first []measurement) summary {
	rates := values(rounds, func(m measurement) float64 { return m.rate })
	ratios := make([]float64, len(rounds))
	errors, closed := 0, 0
	for i, m := range rounds {
		ratios[i] = m.rate / first[i].rate
		errors += m.Errors
		closed += m.closed
	}
	return summary{
		rate:     fmt.Sprintf("%.0f (%.0f–%.0f)", median(rates), slices.Min(rates), slices.Max(rates)),
		p50:      milliseconds(median(values(rounds, func(m measurement) float64 { return float64(m.P50) }))),
		p99:      milliseconds(median(values(rounds, func(m measurement) float64 { return float64(m.P99) }))),
		errors:   fmt.Sprintf("%d / %d", errors, closed),
		front:    perCallOf(rounds, func(m measurement) usage { return m.front }),
		broker:   perCallOf(rounds, func(m measurement) usage { return m.broker }),
		services: perCallOf(rounds, func(m measurement) usage { return m.services }),
		resident: median(values(rounds, func(m measurement) float64 { return float64(m.front.resident) })),
		ratio:    median(ratios),
	}
}

func perCallOf(rounds []measurement, of func(measurement) usage) perCall {
	return perCall{
		cpu:    median(values(rounds, func(m measurement) float64 { return perRequest(of(m).cpu, m.Requests) })),
		writes: median(values(rounds, func(m measurement) float64 { return float64(of(m).writes) / float64(max(m.Requests, 1)) })),
	}
}

func milliseconds(ns float64) string { return fmt.Sprintf("%.2f", ns/1e6) }

func values(rounds []measurement, of func(measurement) float64) []float64 {
	out := make([]float64, len(rounds))
	for i, m := range rounds {
		out[i] = of(m)
	}
	return out
}

// median returns the mean of the two middle values for an even number of values.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func machine() string {
	model := "unknown processor"
	data, _ := os.ReadFile("/proc/cpuinfo") // the name stays unknown without it
	for line := range strings.Lines(string(data)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%s, %d cores, %s/%s", model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
}

func versions(ctx context.Context, broker string) string {
	return strings.Join([]string{
		runtime.Version(),
		"RabbitMQ " + cmp.Or(broker, "unknown"),
		output(ctx, "wrk", "-v"),
		"commit " + output(ctx, "git", "describe", "--always", "--dirty"),
	}, "; ")
}

// output returns the first line that a command prints. Some commands print their version with an error.
func output(ctx context.Context, name string, args ...string) string {
	out, _ := exec.CommandContext(ctx, name, args...).CombinedOutput()
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return cmp.Or(strings.TrimSpace(string(line)), "unknown")
}

// save writes the report to a file named for the day.
func (c *tableCommand) save(report string) error {
	if c.Results == "" {
		return nil
	}
	if err := os.MkdirAll(c.Results, 0o755); err != nil { //nolint:gosec // world-readable by intention
		return fmt.Errorf("save the table: %w", err)
	}
	name := time.Now().UTC().Format(time.DateOnly)
	if c.Peers {
		name += "-peers"
	}
	file := filepath.Join(c.Results, name+".md")
	if err := os.WriteFile(file, []byte(report), 0o644); err != nil { //nolint:gosec // see above
		return fmt.Errorf("save the table: %w", err)
	}
	return nil
}
