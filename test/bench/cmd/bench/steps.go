package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// steps are Go benchmarks of what a request passes, by package. Their instructions depend neither on the load of the machine nor
// on how many messages share a system call, so that a change of one per cent shows.
var steps = []struct {
	folder     string
	benchmarks []string
}{
	{"services/gateway/internal/adapters/http", []string{"ServeHTTP"}},
	{"pkg/rpc", []string{"Do", "TypedHandler"}},
	{"pkg/rpc/protocol", []string{"EncodeRequest", "DecodeRequest", "DecodeReply"}},
	{"pkg/messaging/rabbitmq", []string{"Encode", "Decode"}},
}

// benchmarkLoops is the number of iterations. It is large enough for one per cent.
const benchmarkLoops = 10_000

var (
	instructionRefs = regexp.MustCompile(`I\s+refs:\s+([\d,]+)`)
	allocsPerOp     = regexp.MustCompile(`(\d+) allocs/op`)
)

// countSteps counts the instructions and allocations of steps under Valgrind's cachegrind. What a program does before and after
// the loop cancels out in the difference of two runs.
func (c *instructionsCommand) countSteps(ctx context.Context, variants []*variant) error {
	folder, err := os.MkdirTemp("", "bench-steps-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(folder)
	for _, step := range steps {
		selected := slices.DeleteFunc(slices.Clone(step.benchmarks), func(name string) bool {
			return len(c.Steps) > 0 && !slices.Contains(c.Steps, name)
		})
		if len(selected) == 0 {
			continue
		}
		programs := make([]string, len(variants))
		for i, v := range variants {
			programs[i] = filepath.Join(folder, fmt.Sprintf("%d-%s", i, filepath.Base(step.folder)))
			if err := v.buildTest(ctx, step.folder, programs[i]); err != nil {
				return err
			}
		}
		for _, benchmark := range selected {
			for range c.Rounds {
				for i, v := range variants {
					counted, err := countStep(ctx, programs[i], benchmark)
					if err != nil {
						return fmt.Errorf("%s of %s: %w", benchmark, v.name, err)
					}
					name := "step " + benchmark
					v.results[name] = append(v.results[name], measurement{counts: [3]counts{counted}})
				}
			}
		}
	}
	return nil
}

func (v *variant) buildTest(ctx context.Context, folder, program string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./"+folder)
	cmd.Dir = v.source
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(v.source, "go.work"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the benchmarks in %s of %s: %w: %s", folder, v.name, err, out)
	}
	return nil
}

func countStep(ctx context.Context, program, benchmark string) (counts, error) {
	var refs [2]float64
	c := counts{}
	for i := range refs {
		cmd := exec.CommandContext(ctx, "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", program,
			"-test.run=^$", "-test.bench=^Benchmark"+benchmark+"$", fmt.Sprintf("-test.benchtime=%dx", (i+1)*benchmarkLoops))
		cmd.Env = append(os.Environ(), callgrindSettings...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
		if refs[i], err = find(instructionRefs, out); err != nil {
			return nil, err
		}
		if c[allocations], err = find(allocsPerOp, out); err != nil {
			return nil, err
		}
	}
	c[userInstructions] = (refs[1] - refs[0]) / benchmarkLoops
	return c, nil
}

// find returns the number that a pattern finds, which may have commas.
func find(pattern *regexp.Regexp, out []byte) (float64, error) {
	match := pattern.FindSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("find %s in %s", pattern, out)
	}
	return strconv.ParseFloat(strings.ReplaceAll(string(match[1]), ",", ""), 64)
}
