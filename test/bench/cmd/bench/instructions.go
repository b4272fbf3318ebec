package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/warren/test/bench/internal/load"
)

// instructionsCommand is the command instructions.
type instructionsCommand struct {
	Base     string        `env:"BASE" help:"A commit to compare with; empty: none."`
	Rows     []string      `default:"gateway,rpc,raw" help:"Rows to measure, as in the command table."`
	Peers    bool          `help:"Measure the frameworks of test/bench/peers too."`
	Callers  int           `default:"64" help:"Number of callers."`
	Rounds   int           `default:"3" help:"Number of measurements of each row, in turns."`
	WarmUp   time.Duration `default:"2s" help:"Time before each measurement."`
	Duration time.Duration `default:"5s" help:"Time of each measurement."`
	Steps    []string      `help:"Run only these Go benchmarks of single steps, such as ServeHTTP, and no row."`
}

const noCounter = "This machine has no counter of instructions (perf stat -e instructions:u). User instructions of the Go programs are " +
	"counted by Valgrind, without garbage collection, in runs of their own; there are none of the broker, of Node.js and of the kernel."

// variant is a commit to measure.
type variant struct {
	name, source string
	broker       string                   // its version
	results      map[string][]measurement // by row
}

// Run is called by kong.
func (c *instructionsCommand) Run(ctx context.Context) error {
	root, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the repository: %w", err)
	}
	variants := []*variant{{name: "this", source: root, results: map[string][]measurement{}}}
	if c.Base != "" {
		base, remove, err := checkOut(ctx, c.Base)
		if err != nil {
			return err
		}
		defer remove()
		variants = append(variants, base)
	}
	counted := hasHardwareCounter(ctx)
	if !counted {
		fmt.Fprintln(os.Stderr, noCounter)
	}
	if len(c.Steps) == 0 {
		if err := c.measure(ctx, variants, false); err != nil {
			return err
		}
		if !counted {
			if err := c.measure(ctx, variants, true); err != nil {
				return err
			}
		}
	}
	if !counted || len(c.Steps) > 0 {
		if err := c.countSteps(ctx, variants); err != nil {
			return err
		}
	}
	fmt.Println(c.report(ctx, variants, counted))
	return nil
}

// checkOut checks a commit out into a temporary folder.
func checkOut(ctx context.Context, commit string) (v *variant, remove func(), err error) {
	parent, err := os.MkdirTemp("", "bench-base-")
	if err != nil {
		return nil, nil, fmt.Errorf("check out %s: %w", commit, err)
	}
	folder := filepath.Join(parent, "warren")
	remove = func() {
		_ = exec.Command("git", "worktree", "remove", "--force", folder).Run() //nolint:noctx // also after Ctrl-C
		_ = os.RemoveAll(parent)
	}
	if out, err := exec.CommandContext(ctx, "git", "worktree", "add", "--detach", folder, commit).CombinedOutput(); err != nil {
		remove()
		return nil, nil, fmt.Errorf("check out %s: %w: %s", commit, err, out)
	}
	return &variant{name: commit, source: folder, results: map[string][]measurement{}}, remove, nil
}

// measure adds the measurements of all variants, in turns, each in its own lab.
func (c *instructionsCommand) measure(ctx context.Context, variants []*variant, callgrind bool) error {
	labs, rows := make([]*lab, len(variants)), make([][]*row, len(variants))
	for i, v := range variants {
		var err error
		if labs[i], err = newLabOf(ctx, v.source, allPrograms); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		defer labs[i].close()
		v.broker = labs[i].node.Version()
		labs[i].count, labs[i].underCallgrind = countAllocations(countByPerf), callgrind
		if callgrind {
			labs[i].count = labs[i].countByCallgrind
			labs[i].logins = 1 // a service verifies each identity once a minute: too often for the few requests that it gets
		}
		if rows[i], err = labs[i].rows(ctx, starters, c.Rows); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		if c.Peers && i == 0 && !callgrind {
			peers, err := labs[i].rows(ctx, peerStarters, nil)
			if err != nil {
				return err
			}
			rows[i] = append(rows[i], peers...)
		}
	}
	for round := range c.Rounds {
		for i := range variants {
			if round%2 == 1 { // each variant is first in half of the rounds
				i = len(variants) - 1 - i
			}
			for _, r := range rows[i] {
				m, err := labs[i].measure(ctx, r, load.Options{Callers: c.Callers, WarmUp: c.WarmUp, Duration: c.Duration})
				if err != nil {
					return fmt.Errorf("measure %s of %s: %w", r.name, variants[i].name, err)
				}
				fmt.Fprintf(os.Stderr, "round %d: %s of %s: %.0f requests/s, %d errors %s\n",
					round+1, r.name, variants[i].name, m.rate, m.Errors, m.Error)
				variants[i].add(r, m, callgrind)
			}
		}
	}
	return nil
}

// add keeps the figures of m, of requests. Those of callgrind's runs join those of the other runs.
func (v *variant) add(r *row, m measurement, callgrind bool) {
	for i, c := range m.counts {
		if c == nil {
			c = counts{}
			m.counts[i] = c
		}
		for figure := range c {
			c[figure] /= float64(max(m.Requests, 1))
		}
		if !callgrind {
			c[cpuTime] = perRequest([]usage{m.front, m.broker, m.services}[i].cpu, m.Requests)
		}
	}
	v.results[r.name] = append(v.results[r.name], m)
}

// report returns a table of the figures per request. With a base it has both, the change, and the least and greatest change of
// the rounds.
func (c *instructionsCommand) report(ctx context.Context, variants []*variant, counted bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Instructions per request, %s\n\n- Machine: %s\n- Versions: %s\n"+
		"- %d callers, %d rounds, %s of warm-up and %s measured for each\n",
		time.Now().UTC().Format("2006-01-02 15:04 MST"), machine(), versions(ctx, variants[0].broker), c.Callers, c.Rounds, c.WarmUp, c.Duration)
	if !counted {
		b.WriteString("- " + noCounter + "\n")
	}
	b.WriteString("\n| Row | Of | Figure | This |")
	if len(variants) > 1 {
		fmt.Fprintf(&b, " %s | Change | Least to greatest |", c.Base)
	}
	b.WriteString("\n|---|---|---|--:|" + strings.Repeat("--:|", 3*(len(variants)-1)) + "\n")
	for _, name := range slices.Sorted(maps.Keys(variants[0].results)) {
		for i, component := range []string{"gateway or client", "broker", "services"} {
			if strings.HasPrefix(name, "step ") {
				component = "benchmark"
			}
			for _, figure := range []string{userInstructions, kernelInstructions, cycles, contextSwitches, systemCalls, allocations, cpuTime} {
				b.WriteString(figureLine(variants, name, component, i, figure))
			}
		}
	}
	return b.String()
}

// figureLine returns a line of the table, or nothing if the figure was not counted.
func figureLine(variants []*variant, name, component string, i int, figure string) string {
	var all [][]float64
	for _, v := range variants {
		var rounds []float64
		for _, m := range v.results[name] {
			if n, ok := m.counts[i][figure]; ok {
				rounds = append(rounds, n)
			}
		}
		all = append(all, rounds)
	}
	if len(all[0]) == 0 {
		return ""
	}
	line := fmt.Sprintf("| %s | %s | %s | %s |", name, component, figure, withSpread(all[0]))
	if len(all) > 1 && len(all[1]) == len(all[0]) {
		changes := make([]float64, len(all[0]))
		for j := range changes {
			changes[j] = (all[0][j]/all[1][j] - 1) * 100
		}
		line += fmt.Sprintf(" %s | %+.1f %% | %+.1f to %+.1f |", withSpread(all[1]),
			(median(all[0])/median(all[1])-1)*100, slices.Min(changes), slices.Max(changes))
	}
	return line + "\n"
}

// withSpread returns the median, and the least and the greatest value.
func withSpread(v []float64) string {
	number := func(n float64) string {
		if n < 1000 {
			return fmt.Sprintf("%.2f", n)
		}
		return fmt.Sprintf("%.1f k", n/1000)
	}
	return fmt.Sprintf("%s (%s–%s)", number(median(v)), number(slices.Min(v)), number(slices.Max(v)))
}
