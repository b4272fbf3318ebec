package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/*.txtar: what the commands write and refuse. They are scripts of testscript
// (https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript) with more commands:
//
//	checkout FOLDER           copies this repository to FOLDER, as a git repository with one commit
//	refused PATTERN ARGS...   runs warren, which must refuse its arguments with a text that matches PATTERN
//
// The race detector would take most of their time, so they run warren without it. TestLongRace runs them with it.
func TestScripts(t *testing.T) { runScripts(t, "testdata") }

// runScripts runs the scripts in a folder with a warren that is built with flags.
func runScripts(t *testing.T, folder string, flags ...string) {
	t.Helper()
	fillModuleCache(t)
	programs := buildWarren(t, flags...)
	system := template(t)
	testscript.Run(t, testscript.Params{
		Dir:                 folder,
		Setup:               func(env *testscript.Env) error { return setUp(env, programs) },
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"checkout": func(ts *testscript.TestScript, neg bool, args []string) { checkout(ts, neg, args, system) },
			"refused":  refused,
			"demo":     runDemo,
			"request":  request,
		},
	})
}

// fillModuleCache downloads the modules that the go command needs in the scripts, which have no network.
func fillModuleCache(t *testing.T) {
	t.Helper()
	services, err := filepath.Glob(filepath.Join("..", "..", "services", "*"))
	if err != nil {
		t.Fatal(err)
	}
	run := func(folder string, args ...string) {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s in %s: %v\n%s", args[0], folder, err, out)
		}
	}
	for _, module := range append(services, ".") {
		run(module, "mod", "tidy", "-diff")
	}
	run(filepath.Join("..", "..", "tools"), "list", "-deps", "./generate")
}

// buildWarren builds warren and returns the folder that it is in. Without flags it compiles packages as make build does, and as
// warren does in the scripts.
func buildWarren(t *testing.T, flags ...string) string {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"build", "-trimpath", "-ldflags=-w", "-o", folder}, flags...)...)
	if len(flags) == 0 {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build warren: %v\n%s", err, out)
	}
	return folder
}

// setUp gives a script warren, the caches of the go command and of RabbitMQ, a user for git, and no network for the go command.
func setUp(env *testscript.Env, programs string) error {
	out, err := exec.CommandContext(env.T().(testing.TB).Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		return err
	}
	folders := strings.Fields(string(out))
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	env.Vars = append(env.Vars,
		"PATH="+programs+string(os.PathListSeparator)+env.Getenv("PATH"),
		"RABBITMQ="+os.Getenv("RABBITMQ"), "GOCACHE="+folders[0], "GOMODCACHE="+folders[1], "GOPROXY=off", "GOFLAGS=", "GOWORK=",
		"XDG_CACHE_HOME="+cache,
		"TMPDIR="+os.TempDir(), // that of testscript is too long for the sockets of tests
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@localhost",
		"GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@localhost",
	)
	return nil
}

// template returns a function that copies this repository to a folder, as a git repository with one commit, and returns the folder.
// It does so once: a clone of that is much faster.
func template(t *testing.T) func() (string, error) {
	t.Helper()
	folder := t.TempDir()
	return sync.OnceValues(func() (string, error) {
		// The files that git tracks, or would, as they are.
		const script = `cd ../.. && git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null |
			tar --create --files-from=- | tar --extract --directory="$1" &&
			cd "$1" && git init --quiet && git add . &&
			git -c user.name=test -c user.email=test@localhost commit --quiet --message=checkout`
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", folder).CombinedOutput(); err != nil {
			return "", fmt.Errorf("copy this repository: %w\n%s", err, out)
		}
		return folder, nil
	})
}

func checkout(ts *testscript.TestScript, neg bool, args []string, template func() (string, error)) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: checkout FOLDER")
	}
	folder, err := template()
	ts.Check(err)
	ts.Check(ts.Exec("git", "clone", "--quiet", folder, ts.MkAbs(args[0])))
}

func refused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: refused PATTERN ARGS...")
	}
	err := ts.Exec("warren", args[1:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exitUsage {
		ts.Fatalf("warren ended with %v, want exit status %d", err, exitUsage)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("unexpected output: %s", out)
	}
	if text := ts.ReadFile("stderr"); !regexp.MustCompile(args[0]).MatchString(text) {
		ts.Fatalf("no match for %s in %s", args[0], text)
	}
}
