// Command generate writes the files that must know every service. It derives them from the folders services/*/, so that a
// service is added or removed with its folder and nothing is listed twice. make generate runs it; make lint runs it with
// --check, which writes nothing and fails if a file is stale.
//
// It works in two stages. The first reads the folders and writes what the go command needs to build cmd/warren: go.work,
// cmd/warren's go.mod and its list of services. This program imports no service, so that it still compiles when a folder
// was just added or removed. The second runs cmd/warren, which knows each service's settings and metrics, and writes the
// rest.
//
// With --secrets it writes random passwords and the broker's definitions with their hashes into a folder instead, which
// git ignores. make secrets runs it so.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	root := flag.String("root", "..", "the repository's folder")
	check := flag.Bool("check", false, "write nothing; fail if a file is stale")
	secrets := flag.String("secrets", "", "write passwords into this folder of the repository, and nothing else")
	flag.Parse()
	run := generate
	if *secrets != "" {
		run = func(ctx context.Context, root string, _ bool) error { return writeSecrets(ctx, root, *secrets) }
	}
	if err := run(context.Background(), *root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// file is one generated file.
type file struct {
	path    string // below the repository's folder
	content []byte // nil: there must be no such file
}

// generate brings the files below root up to date, or reports those that are not.
func generate(ctx context.Context, root string, check bool) error {
	r, err := readRepository(root)
	if err != nil {
		return err
	}
	build, err := buildFiles(r)
	if err != nil {
		return err
	}
	if err := apply(root, build, check); err != nil {
		return err // stale, with check: the second stage may not compile
	}
	if !check {
		// A new service may bring dependencies that cmd/warren has not had so far.
		if _, err := run(ctx, filepath.Join(root, warrenModule), "GOWORK=off", "go", "mod", "tidy"); err != nil {
			return err
		}
	}
	services, err := describeServices(ctx, root)
	if err != nil {
		return err
	}
	if err := checkNames(r.services, services); err != nil {
		return err
	}
	derived, err := derivedFiles(services)
	if err != nil {
		return err
	}
	gone, err := goneServices(root, services)
	if err != nil {
		return err
	}
	if err := apply(root, append(derived, gone...), check); err != nil {
		return err
	}
	metrics, err := describeMetrics(ctx, root)
	if err != nil {
		return err
	}
	return apply(root, []file{{path: "docs/metrics.md", content: metricsReference(metrics)}}, check)
}

// apply writes the files that differ from what is on disk. With check it reports them instead.
func apply(root string, files []file, check bool) error {
	var stale []string
	for _, f := range files {
		path := filepath.Join(root, f.path)
		current, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if (err == nil) == (f.content != nil) && bytes.Equal(current, f.content) {
			continue
		}
		if check {
			stale = append(stale, f.path)
			continue
		}
		if f.content == nil {
			if err := os.Remove(path); err != nil {
				return err
			}
			_, _ = fmt.Fprintln(os.Stdout, "removed", f.path)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // sources are readable for all users
			return err
		}
		if err := os.WriteFile(path, f.content, 0o644); err != nil { //nolint:gosec // as above
			return err
		}
		_, _ = fmt.Fprintln(os.Stdout, "wrote", f.path)
	}
	if len(stale) > 0 {
		return fmt.Errorf("stale: %s; run make generate and commit what it writes", strings.Join(stale, ", "))
	}
	return nil
}

// run runs a command in folder with one more environment variable and returns what it prints.
func run(ctx context.Context, folder, env string, command ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), env)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s in %s: %w\n%s", strings.Join(command, " "), folder, err, stderr.String())
	}
	return out, nil
}
