package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestLongScripts runs testdata/long/*.txtar: what was generated is compiled, linted, tested, started and called. These scripts
// have more commands:
//
//	demo                                 builds the system of the working directory and runs it until the end of the script
//	request STATUS METHOD PATH [BODY]    sends the demo a request of its user, and expects a response with the status
func TestLongScripts(t *testing.T) { runScripts(t, "testdata/long") }

// TestLongRace runs the scripts of TestScripts with the race detector in warren.
func TestLongRace(t *testing.T) { runScripts(t, "testdata", "-race") }

var guideLine = regexp.MustCompile(`^  (URL|TOKEN)=(.+)$`)

func runDemo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: demo")
	}
	ts.Check(ts.Exec("go", "build", "-o", "bin/warren", "./cmd/warren"))
	cmd := exec.Command(ts.MkAbs("bin/warren"), "demo", "--addr=127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		ts.Check(cmd.Process.Signal(os.Interrupt))
		ts.Check(cmd.Wait())
	})
	lines := bufio.NewScanner(out)
	for ts.Getenv("TOKEN") == "" && lines.Scan() {
		if m := guideLine.FindStringSubmatch(lines.Text()); m != nil {
			ts.Setenv(m[1], m[2])
		}
	}
	if ts.Getenv("TOKEN") == "" {
		ts.Fatalf("the demo has not printed a token: %v", lines.Err())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
}

func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: request STATUS METHOD PATH [BODY]")
	}
	r, err := http.NewRequest(args[1], strings.TrimSuffix(ts.Getenv("URL"), "/v1")+args[2], strings.NewReader(strings.Join(args[3:], "")))
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+ts.Getenv("TOKEN"))
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer response.Body.Close()
	_, err = io.Copy(ts.Stdout(), response.Body)
	ts.Check(err)
	if want := args[0]; strconv.Itoa(response.StatusCode) != want {
		ts.Fatalf("the status is %s, want %s", response.Status, want)
	}
}
