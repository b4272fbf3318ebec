package demo

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// curl stands in for the program curl. It understands the flags that the guide uses, and prints the status of the response
// in place of the whole response.
func curl(args []string) int {
	flags := flag.NewFlagSet("curl", flag.ContinueOnError)
	header := http.Header{}
	flags.Func("H", "", func(s string) error {
		name, value, _ := strings.Cut(s, ": ")
		header.Add(name, value)
		return nil
	})
	after := flags.String("iw", "", "") // -i and -w
	method := flags.String("X", "", "")
	body := flags.String("d", "", "")
	// The guide has the URL before some flags; the flag package wants it last.
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
	fmt.Print(response.StatusCode, strings.ReplaceAll(*after, `\n`, "\n"))
	return 0
}

// noExitDelay makes processes of this binary end at once: the race detector would wait for a second.
const noExitDelay = "GORACE=atexit_sleep_ms=0"

// shell runs the lines that a user copies.
type shell struct {
	path      string // has curl
	variables string // the commands that set what the others use
}

func newShell(t *testing.T, guide string) *shell {
	t.Helper()
	folder := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(folder, "curl")); err != nil {
		t.Fatal(err)
	}
	return &shell{
		path:      folder + string(os.PathListSeparator) + os.Getenv("PATH"),
		variables: lineWith(t, guide, "URL=") + "\n" + lineWith(t, guide, "TOKEN="),
	}
}

func (s *shell) run(t *testing.T, lines string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", s.variables+"\n"+lines)
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
