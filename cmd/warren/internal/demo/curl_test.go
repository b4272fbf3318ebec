package demo

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// curl stands in for the program: it understands what the guide prints, and prints the status of the response
// for all that curl would print of it.
func curl(args []string) int {
	flags := flag.NewFlagSet("curl", flag.ContinueOnError)
	header := http.Header{}
	flags.Func("H", "", func(s string) error {
		name, value, _ := strings.Cut(s, ": ")
		header.Add(name, value)
		return nil
	})
	after := flags.String("iw", "", "")  // -i and -w
	silent := flags.Bool("s", false, "") // with it the body is printed
	method := flags.String("X", "", "")
	body := flags.String("d", "", "")
	// The guide has the URL before most flags; the flag package wants it last.
	var url string
	for i, arg := range args {
		if strings.HasPrefix(arg, "http://") {
			url = arg
			args = append(args[:i:i], args[i+1:]...)
			break
		}
	}
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		fmt.Println("not understood:", err, flags.Args())
		return 2
	}
	if *method == "" && *body != "" {
		*method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(context.Background(), *method, url, strings.NewReader(*body))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	request.Header = header
	response, err := client.Do(request)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = response.Body.Close() }()
	if *silent {
		if _, err := io.Copy(os.Stdout, response.Body); err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	}
	fmt.Print(response.StatusCode, strings.ReplaceAll(*after, `\n`, "\n"))
	return 0
}

// noExitDelay spares processes of this binary the second that the race detector waits at their end.
const noExitDelay = "GORACE=atexit_sleep_ms=0"

// shell runs the lines that a user would copy.
type shell struct {
	path  string // has curl
	token string // the command that sets it
}

func newShell(t *testing.T, guide string) *shell {
	t.Helper()
	folder := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(folder, "curl")); err != nil {
		t.Fatal(err)
	}
	return &shell{path: folder + string(os.PathListSeparator) + os.Getenv("PATH"), token: lineWith(t, guide, "TOKEN=")}
}

func (s *shell) run(t *testing.T, lines string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", s.token+"\n"+lines)
	cmd.Env = append(os.Environ(), "PATH="+s.path, noExitDelay)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s\n%v\n%s%s", lines, err, out, stderr.String())
	}
	return string(out)
}

// lineWith returns the first line that contains part.
func lineWith(t *testing.T, text, part string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("no line with %q in:\n%s", part, text)
	return ""
}
