package dead

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/inmem"
)

// serveInMemory starts an in-memory broker that is served to warren dead.
func serveInMemory(t *testing.T, browse func(*inmem.Server) deadletter.Browser) (b messaging.Broker, socket string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "dead-") //nolint:usetesting // the path of a socket is short, unlike that of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	socket = filepath.Join(folder, "dead.sock")
	broker := inmem.NewServer()
	server, err := Serve(socket, func() deadletter.Browser { return browse(broker) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return broker.Connect(), socket
}

func browseInMemory(s *inmem.Server) deadletter.Browser { return s.Browse() }

func TestInMemory(t *testing.T) {
	b, socket := serveInMemory(t, browseInMemory)
	demo := func(args ...string) result {
		return run(awaittest.Context(t), t, append([]string{"dead", "--demo=" + socket}, args...)...)
	}
	q := newQueue(t, b, messaging.Classic)
	newDeadLetterQueue(t, b, q)
	bury(t, b, q, request("1"), request("2"), request("3"))

	want := func(got result, wantOut, wantErr string) {
		t.Helper()
		if !strings.Contains(got.out, wantOut) || (wantErr == "") != (got.err == "") || !strings.Contains(got.err, wantErr) {
			t.Errorf("got %+v, want output %q and error %q", got, wantOut, wantErr)
		}
	}
	want(demo("list", q.Name), q.Name+".dead: 3 messages\n", "")
	want(demo("show", q.Name, "2"), "message_id", "")
	want(demo("show", q.Name, "4"), "", "no message 4 in "+q.Name+".dead")
	want(demo("replay", q.Name, "1"), "replayed 1 to "+q.Name+"\n", "")
	want(demo("drop", q.Name, "--all"), "", "--yes")
	want(demo("drop", q.Name, "2"), "dropped 2\n", "")
	want(demo("list", q.Name), q.Name+".dead: 1 message\n", "")
	want(demo("list", newQueue(t, b, messaging.Classic).Name), ".dead: no dead letters", "")
	want(demo("list", "unknown"), "", "neither queue unknown nor unknown.dead exists")
	want(demo("list", q.Name, "--limit=0"), "", "--limit must be 1 or more")
}

func TestSocketIsPrivate(t *testing.T) {
	_, socket := serveInMemory(t, browseInMemory)
	info, err := os.Stat(socket)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the socket has mode %o, want 600", mode)
	}
}

// TestHelpOfServer sends what a client handles itself. It must not end the serving process.
func TestHelpOfServer(t *testing.T) {
	_, socket := serveInMemory(t, browseInMemory)
	for _, args := range [][]string{{"dead", "list", "--help"}, {"demo"}, nil} {
		if err := forward(awaittest.Context(t), socket, args, console{out: &strings.Builder{}, notes: &strings.Builder{}}); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

// TestServerCloses the connection after the last result, also if the client does not.
func TestServerCloses(t *testing.T) {
	_, socket := serveInMemory(t, browseInMemory)
	conn, err := new(net.Dialer).DialContext(awaittest.Context(t), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := json.NewEncoder(conn).Encode(remoteCommand{Args: []string{"dead", "list", "things.create"}}); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		closed <- err
	}()
	if err := awaittest.Receive(t, closed, "end of the connection"); err != nil {
		t.Error(err)
	}
}

func TestNoDemo(t *testing.T) {
	got := run(awaittest.Context(t), t, "dead", "list", "things.create", "--demo="+filepath.Join(t.TempDir(), "missing"))
	assertError(t, got, "connect to the demo: ")
}

// stuckBrowser opens nothing until its context ends.
type stuckBrowser struct {
	deadletter.Browser
	opening, ended chan struct{}
}

func (b stuckBrowser) Open(ctx context.Context, _ string) (deadletter.Cursor, error) {
	close(b.opening)
	<-ctx.Done()
	close(b.ended)
	return nil, errors.New("cancelled")
}

// TestRemoteInterrupted presses Ctrl-C while the demo works on the command, which then ends there too.
func TestRemoteInterrupted(t *testing.T) {
	stuck := stuckBrowser{opening: make(chan struct{}), ended: make(chan struct{})}
	_, socket := serveInMemory(t, func(s *inmem.Server) deadletter.Browser {
		stuck.Browser = s.Browse()
		return stuck
	})
	ctx, interrupt := context.WithCancel(awaittest.Context(t))
	results := make(chan result, 1)
	go func() { results <- run(ctx, t, "dead", "list", "things.create", "--demo="+socket) }()
	awaittest.Receive(t, stuck.opening, "the command in the demo")
	interrupt()
	if got := awaittest.Receive(t, results, "the client"); got.err != context.Canceled.Error() {
		t.Errorf("got %+v, want that it was cancelled", got)
	}
	awaittest.Receive(t, stuck.ended, "the end of the command in the demo")
}
