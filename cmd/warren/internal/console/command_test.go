package console

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestCommand: the console also runs while the broker is away.
func TestCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(contextOf(t))
	defer cancel()
	out, in := io.Pipe()
	var commands struct {
		Console Command `cmd:""`
	}
	parser, err := kong.New(&commands, kong.Writers(in, in), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse([]string{"console", "--addr=127.0.0.1:0", "--as=demo", "--token=x", "--broker-url=amqp://127.0.0.1:1/"})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- parsed.Run()
		_ = in.Close()
	}()
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(strings.TrimPrefix(first, "The console is at "))
	for path, want := range map[string]int{"/": http.StatusOK, "/api/map": http.StatusOK, "/api/queues": http.StatusServiceUnavailable} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer x")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, response.StatusCode, want)
		}
	}
	for _, want := range []string{"Ctrl-C", "Open " + url + "/?token=… once", "until the broker is there: broker unavailable: "} {
		if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, want) {
			t.Errorf("printed %q, error %v, want %q", line, err, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
