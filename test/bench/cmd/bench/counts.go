package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"example.com/warren/test/internal/system"
)

// The figures of counts. All but the last two are names of events of perf(1).
const (
	userInstructions   = "instructions:u"
	kernelInstructions = "instructions:k"
	cycles             = "cycles"
	contextSwitches    = "context-switches"
	systemCalls        = "raw_syscalls:sys_enter"
	allocations        = "allocations"
	cpuTime            = "CPU µs"
)

// counts are what processes did, by the name of the figure. A figure that can't be counted is missing.
type counts map[string]float64

// counting begins to count what processes do. The function that it returns ends that, and may return nil.
type counting func(context.Context, []*process) (stop func() (counts, error), err error)

// hasHardwareCounter reports whether perf can count instructions. Many virtual machines can't.
func hasHardwareCounter(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "perf", "stat", "-x", ",", "-e", userInstructions, "true").CombinedOutput()
	return err == nil && parsePerf(string(out))[userInstructions] > 0
}

// countByPerf counts by perf. Perf starts without counting, and acknowledges each order, so that it counts the load and nothing else.
func countByPerf(ctx context.Context, processes []*process) (func() (counts, error), error) {
	orders, order, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start perf: %w", err)
	}
	acknowledge, acknowledgement, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start perf: %w", errors.Join(err, orders.Close(), order.Close()))
	}
	var pids []string
	for _, p := range processes {
		pids = append(pids, strconv.Itoa(p.pid))
	}
	events := []string{userInstructions, kernelInstructions, cycles, contextSwitches, systemCalls}
	cmd := exec.CommandContext(ctx, "perf", "stat", "-x", ",", "--delay", "-1", "--control", "fd:3,4",
		"-e", strings.Join(events, ","), "-p", strings.Join(pids, ","))
	cmd.ExtraFiles = []*os.File{orders, acknowledgement} // descriptors 3 and 4
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Start()
	_, _ = orders.Close(), acknowledgement.Close() // perf has its own
	if err != nil {
		return nil, fmt.Errorf("start perf: %w", errors.Join(err, order.Close(), acknowledge.Close()))
	}
	acknowledgements := bufio.NewReader(acknowledge)
	tell := func(what string) error {
		_, err := order.WriteString(what + "\n")
		if err == nil {
			_, err = acknowledgements.ReadString('\n')
		}
		if err != nil {
			return fmt.Errorf("tell perf to %s: %w: %s", what, err, &out)
		}
		return nil
	}
	return func() (counts, error) {
		defer func() { _, _ = order.Close(), acknowledge.Close() }()
		err := tell("disable")
		_ = cmd.Process.Signal(os.Interrupt) // perf prints, and may end with the signal
		_ = cmd.Wait()
		return parsePerf(out.String()), err
	}, tell("enable")
}

// countNothing leaves the figures to countAllocations.
func countNothing(context.Context, []*process) (func() (counts, error), error) {
	return func() (counts, error) { return counts{}, nil }, nil
}

// parsePerf reads lines such as "1234,,instructions:u,…", and leaves out events that perf can't count.
func parsePerf(out string) counts {
	c := counts{}
	for line := range strings.Lines(out) {
		fields := strings.Split(line, ",")
		if n, err := strconv.ParseFloat(fields[0], 64); err == nil && len(fields) > 2 {
			c[fields[2]] = n
		}
	}
	return c
}

// callgrind is the command that runs a Go program under Valgrind's callgrind, which counts its instructions one by one, whatever
// else the machine does. See also callgrindSettings.
func (l *lab) callgrind() []string {
	return []string{"valgrind", "--tool=callgrind", "--callgrind-out-file=" + filepath.Join(l.folder, "callgrind.%p")}
}

// runsCallgrind reports whether a program runs under callgrind: the gateway, and the clients and services of calls.
func (l *lab) runsCallgrind(program string) bool {
	return l.underCallgrind && slices.Contains([]string{"gateway", benchService, "rpc", "raw"}, program)
}

// callgrindSettings are the environment of programs under callgrind. It fails on signals that interrupt others, so goroutines
// must not be preempted by signals. With one thread at a time, as under Valgrind, idle processors would only spin. Tokens must
// not expire from the cache because the gateway is slow. The number of garbage collections in a short load is left to chance, so
// that there is none: the allocations stand for them.
var callgrindSettings = []string{"GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=4GiB", "GATEWAY_TOKEN_CACHE=1h"}

// countByCallgrind counts the user instructions of processes that run under callgrind.
func (l *lab) countByCallgrind(ctx context.Context, processes []*process) (func() (counts, error), error) {
	processes = slices.DeleteFunc(slices.Clone(processes), func(p *process) bool { return !p.callgrind })
	for _, p := range processes {
		if err := tellValgrind(ctx, p, "zero"); err != nil {
			return nil, err
		}
	}
	return func() (counts, error) {
		if len(processes) == 0 {
			return nil, nil
		}
		sum := 0.0
		for _, p := range processes {
			n, err := l.dump(ctx, p)
			if err != nil {
				return nil, err
			}
			sum += n
		}
		return counts{userInstructions: sum}, nil
	}, nil
}

// tellValgrind gives an order to the tool that a process runs under.
func tellValgrind(ctx context.Context, p *process, order string) error {
	if out, err := exec.CommandContext(ctx, "vgdb", fmt.Sprintf("--pid=%d", p.pid), order).CombinedOutput(); err != nil {
		return fmt.Errorf("tell callgrind of %s to %s: %w: %s", p.name, order, err, out)
	}
	return nil
}

// dump returns the instructions since the last zero or dump. Callgrind writes them to a file with a number at its end.
func (l *lab) dump(ctx context.Context, p *process) (float64, error) {
	if err := tellValgrind(ctx, p, "dump"); err != nil {
		return 0, err
	}
	files, err := filepath.Glob(filepath.Join(l.folder, fmt.Sprintf("callgrind.%d.*", p.pid)))
	if err != nil || len(files) != 1 {
		return 0, fmt.Errorf("find the dump of %s among %d files: %w", p.name, len(files), err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return 0, fmt.Errorf("read the dump of %s: %w", p.name, err)
	}
	var n float64
	_, totals, _ := strings.Cut(string(data), "\ntotals: ")
	if _, err := fmt.Sscan(totals, &n); err != nil {
		return 0, fmt.Errorf("read the dump of %s: %w", p.name, err)
	}
	return n, os.Remove(files[0])
}

// mallocs returns how often the processes that have an admin listener have allocated since their start.
func mallocs(ctx context.Context, processes []*process) (float64, error) {
	sum := 0.0
	for _, p := range processes {
		if p.admin == "" {
			continue
		}
		n, err := system.Metric(ctx, p.admin, "go_memstats_mallocs_total")
		if err != nil {
			return 0, fmt.Errorf("allocations of %s: %w", p.name, err)
		}
		sum += n
	}
	return sum, nil
}

// countAllocations wraps count. What reading the figure allocates itself does not count.
func countAllocations(count counting) counting {
	return func(ctx context.Context, processes []*process) (func() (counts, error), error) {
		before, err := mallocs(ctx, processes)
		if err != nil {
			return nil, err
		}
		stop, err := count(ctx, processes)
		if err != nil {
			return nil, err
		}
		return func() (counts, error) {
			c, err := stop()
			if err != nil || before == 0 {
				return c, err
			}
			after, err := mallocs(ctx, processes)
			if err != nil {
				return nil, err
			}
			again, err := mallocs(ctx, processes)
			c[allocations] = after - before - (again - after)
			return c, err
		}, nil
	}
}
