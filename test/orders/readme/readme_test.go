// Package readme pastes the requests of README.md into a shell while the demo runs.
package readme

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// timeout bounds the build, the demo and the requests. They take seconds on an idle machine, and the first build a minute.
const timeout = 10 * time.Minute

const root = "../../.."

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "curl" {
		os.Exit(curl(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// TestReadme: the comments in the README name the statuses of the responses, also when the requests are pasted again.
func TestReadme(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	lines, want := requests(t)
	url := startDemo(ctx, t)
	folder := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(folder, "curl")); err != nil {
		t.Fatal(err)
	}
	const earlier, later = "\ndate() { echo 1; }\n", "\ndate() { echo 2; }\n"
	sh := exec.CommandContext(ctx, "sh", "-c", "URL="+url+"/v1"+earlier+lines+later+lines)
	sh.Env = append(os.Environ(), "PATH="+folder+string(os.PathListSeparator)+os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0")
	sh.Stderr = t.Output()
	out, err := sh.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); !slices.Equal(got, slices.Repeat(want, 2)) || len(want) < 8 {
		t.Errorf("statuses of two runs %v, the README says %v", got, want)
	}
}

// requests returns the README's shell commands and the statuses that their comments name.
func requests(t *testing.T) (lines string, statuses []string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ = strings.Cut(string(readme), "\nURL=http://127.0.0.1:8080/v1\n")
	lines, _, found := strings.Cut(lines, "\n```\n")
	if !found {
		t.Fatal("the README's requests are not where they were")
	}
	for line := range strings.Lines(lines) {
		if strings.HasPrefix(line, "# ") {
			statuses = append(statuses, regexp.MustCompile(`\b[2-5][0-9]{2}\b`).FindAllString(line, -1)...)
		}
	}
	return lines, statuses
}

// startDemo builds warren and runs its demo until the end of the test, and returns the URL that it prints.
func startDemo(ctx context.Context, t *testing.T) string {
	t.Helper()
	programs, err := system.BuildPrograms(ctx)
	if err != nil {
		t.Fatal(err)
	}
	demo := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(programs, "warren"), "demo", "--addr=127.0.0.1:0")
	demo.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	demo.Stderr = t.Output()
	out, err := demo.StdoutPipe()
	if err == nil {
		err = demo.Start()
	}
	if err != nil {
		t.Fatalf("start the demo: %v", err)
	}
	printed := bufio.NewReader(out)
	t.Cleanup(func() {
		err := demo.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, printed)
		if err := errors.Join(err, demo.Wait()); err != nil {
			t.Errorf("stop the demo: %v", err)
		}
	})
	for {
		line, err := printed.ReadString('\n')
		if err != nil {
			t.Fatalf("the demo ended without printing its address: %v", err)
		}
		if _, url, found := strings.Cut(line, "Warren is up at "); found {
			return strings.TrimSpace(url)
		}
	}
}

// curl stands in for the program curl. With -s it prints the response's body as curl does, else its status.
func curl(args []string) int {
	flags, header := flag.NewFlagSet("curl", flag.ContinueOnError), http.Header{}
	flags.Func("H", "", func(s string) error {
		name, value, _ := strings.Cut(s, ": ")
		header.Add(name, value)
		return nil
	})
	flags.String("iw", "", "") // -i and -w
	silent, method, body := flags.Bool("s", false, ""), flags.String("X", "", ""), flags.String("d", "", "")
	// The flag package wants the URL last.
	at := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "http://") })
	url := args[at]
	if err := flags.Parse(slices.Delete(args, at, at+1)); err != nil || flags.NArg() > 0 {
		fmt.Println("not understood:", err, flags.Args())
		return 2
	}
	if *method == "" && *body != "" {
		*method = http.MethodPost
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, *method, url, strings.NewReader(*body))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = response.Body.Close() }()
	if !*silent {
		fmt.Println(response.StatusCode)
		return 0
	}
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}
