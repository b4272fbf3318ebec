package demo

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"example.com/warren/cmd/warren/internal/dead"
)

// run is a demo in this process.
type run struct {
	out, logs *output
	ended     chan struct{}
	err       error // once ended is closed
}

func start(ctx context.Context, c Command) *run {
	r := &run{out: newOutput(), logs: newOutput(), ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.err = c.run(ctx, r.out, r.logs)
	}()
	return r
}

// String returns what helps to understand a failed test.
func (r *run) String() string {
	select {
	case <-r.ended:
		return fmt.Sprintf("%s%serror: %v", r.out, r.logs, r.err)
	default:
		return fmt.Sprintf("%s%s", r.out, r.logs)
	}
}

func (r *run) await(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	select {
	case <-r.ended:
	case <-ctx.Done():
		t.Fatalf("the demo does not end:\n%s", r)
	}
	return r.err
}

// ownTemp makes the test use its own folder for temporary files.
func ownTemp(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	return folder
}

func assertEmpty(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s is left", entry.Name())
	}
}

func TestInProcess(t *testing.T) {
	temp := ownTemp(t)
	for _, variable := range leftOver {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := start(ctx, Command{Broker: "inmem", Addr: "127.0.0.1:0"})
	guide := r.out.await(t, "All services run in this process", r.ended)
	tryGuide(t, guide)
	if _, command, found := strings.Cut(guide, " dead list "); found { // else no service has a fit method
		command, _, _ = strings.Cut(command, "\n")
		method := command[strings.LastIndex(command, " ")+1:]
		wantListing(t, command, method+".dead: no dead letters: the queue does not exist yet\n")
	}
	cancel()
	if err := r.await(t); err != nil {
		t.Error(err)
	}
	assertEmpty(t, temp)
}

func TestLogLevel(t *testing.T) {
	const other = `level=INFO msg="service started" service=access-control`
	for level, all := range map[string]bool{"": false, "info": true} {
		t.Run(level, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := start(ctx, Command{Broker: "inmem", Addr: "127.0.0.1:0", LogLevel: level})
			r.logs.await(t, `level=INFO msg="service started" service=gateway`, r.ended)
			r.out.await(t, "All services run in this process", r.ended)
			cancel()
			if err := r.await(t); err != nil {
				t.Error(err)
			}
			// By now, each service has written the lines that it gathered.
			if logs := r.logs.String(); strings.Contains(logs, other) != all {
				t.Errorf("LOG_LEVEL=%s: access-control logs at info: %t, want %t", level, !all, all)
			}
		})
	}
}

// wantListing runs the arguments of warren dead list, as the guide prints them.
func wantListing(t *testing.T, args, want string) {
	t.Helper()
	var commands struct {
		Dead dead.Command `cmd:""`
	}
	var out strings.Builder
	parser, err := kong.New(&commands, kong.Writers(&out, &out), kong.BindTo(t.Context(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(append([]string{"dead", "list"}, strings.Fields(args)...))
	if err == nil {
		err = parsed.Run()
	}
	if err != nil || out.String() != want {
		t.Errorf("list of dead-lettered messages: %q, error %v, want %q", out.String(), err, want)
	}
}

func TestServiceFails(t *testing.T) {
	temp := ownTemp(t)
	t.Setenv("GATEWAY_MAX_BODY_BYTES", "-1")
	err := start(t.Context(), Command{Broker: "inmem", Addr: "127.0.0.1:0"}).await(t)
	if err == nil || !strings.Contains(err.Error(), "GATEWAY_MAX_BODY_BYTES") {
		t.Errorf("error = %v, want that of the gateway", err)
	}
	assertEmpty(t, temp)
}

func TestStopWhileStarting(t *testing.T) {
	temp := ownTemp(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := start(ctx, Command{Broker: "inmem", Addr: "127.0.0.1:0"})
	r.logs.await(t, "service starting", r.ended)
	cancel()
	if err := r.await(t); err != nil {
		t.Error(err)
	}
	assertEmpty(t, temp)
}

func TestAddressTaken(t *testing.T) {
	temp := ownTemp(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	err = start(t.Context(), Command{Broker: "inmem", Addr: listener.Addr().String()}).await(t)
	if err == nil || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), "--addr") {
		t.Errorf("error = %v, want one that names --addr", err)
	}
	assertEmpty(t, temp)
}

func TestServicesNotBuilt(t *testing.T) {
	temp := ownTemp(t)
	bin := t.TempDir()
	err := start(t.Context(), Command{Broker: "rabbitmq", Addr: "127.0.0.1:0", Bin: bin}).await(t)
	if err == nil || !strings.Contains(err.Error(), bin) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("error = %v, want one that names the folder and make build", err)
	}
	assertEmpty(t, temp)
}
