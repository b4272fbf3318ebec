package rabbitmqtest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/pkg/process/processtest"
)

// TestLongNode checks that a node starts, keeps its messages in a crash, and leaves nothing behind.
func TestLongNode(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	node := start(ctx, t, rabbitmqtest.Options{Dir: dir})

	publish(ctx, t, node.URL(), "orders", "survivor")
	if got, want := queues(ctx, t, node), "orders\t1"; got != want {
		t.Errorf("list_queues = %q, want %q", got, want)
	}
	if got, want := runCtlCommand(ctx, t, node, "list_queues", "--quiet", "--no-table-headers"), "orders\t1"; got != want {
		t.Errorf("list_queues of the command for people = %q, want %q", got, want)
	}
	if err := node.Restart(ctx); !errors.Is(err, rabbitmqtest.ErrRunning) {
		t.Errorf("Restart of a running node = %v, want ErrRunning", err)
	}

	// The broker reports a queue as declared seconds before it is on disk.
	if _, err := node.Ctl(ctx, "eval", "catch mnesia:sync_log()."); err != nil {
		t.Fatal(err)
	}
	node.Kill()
	if conn, err := amqp.Dial(node.URL()); err == nil {
		_ = conn.Close()
		t.Error("a killed node accepts connections")
	}
	const complaint = "unable to perform an operation on node"
	if _, err := node.Ctl(ctx, "list_queues"); err == nil || !strings.Contains(err.Error(), complaint) {
		t.Errorf("rabbitmqctl on a killed node = %v, want %q", err, complaint)
	}
	if err := node.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := get(t, node.URL(), "orders"), "survivor"; got != want {
		t.Errorf("message after Kill and Restart = %q, want %q", got, want)
	}

	if err := node.Stop(ctx); err != nil {
		t.Errorf("Stop = %v", err)
	}
	if conn, err := amqp.Dial(node.URL()); err == nil {
		_ = conn.Close()
		t.Error("a stopped node accepts connections")
	}
	if err := node.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	assertNothingLeft(t, dir)
	if err := node.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
	if err := node.Restart(ctx); !errors.Is(err, rabbitmqtest.ErrClosed) {
		t.Errorf("Restart of a closed node = %v, want ErrClosed", err)
	}
}

func TestLongOptions(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var output strings.Builder
	name := fmt.Sprintf("named-%d", os.Getpid())
	ca := rabbitmqtest.NewAuthority(t, "nodes")
	certificate := ca.Issue(t, rabbitmqtest.Leaf{Name: "node", Hosts: []string{"127.0.0.1"}})
	node := start(ctx, t, rabbitmqtest.Options{
		Dir:         t.TempDir(),
		TLS:         &rabbitmqtest.TLS{Certificate: certificate.Certificate, Key: certificate.Key},
		Name:        name,
		Config:      "channel_max = 7",
		Definitions: filepath.Join("testdata", "definitions.json"),
		Plugins:     []string{"rabbitmq_consistent_hash_exchange"},
		Output:      &output,
	})
	if got, want := node.Name(), name+"@localhost"; got != want {
		t.Errorf("Name = %q, want %q", got, want)
	}
	if got, want := queues(ctx, t, node), "orders\t0"; got != want {
		t.Errorf("list_queues = %q, want %q", got, want)
	}

	conn := dial(t, "amqp://reader:secret@"+node.Addr()+"/")
	if got, want := conn.Config.ChannelMax, uint16(7); got != want {
		t.Errorf("negotiated channel max = %d, want %d", got, want)
	}
	if _, err := channel(t, conn).QueueDeclare("other", true, false, false, false, nil); !isCode(err, amqp.AccessRefused) {
		t.Errorf("declaration by a reader = %v, want code %d", err, amqp.AccessRefused)
	}
	if err := channel(t, dial(t, node.URL())).ExchangeDeclare("h", "x-consistent-hash", false, true, false, false, nil); err != nil {
		t.Errorf("exchange of a plugin: %v", err)
	}

	secure, err := amqp.DialTLS("amqps://reader:secret@"+node.TLSAddr()+"/", &tls.Config{RootCAs: ca.Pool, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Errorf("dial over TLS: %v", err)
	} else {
		_ = secure.Close()
	}

	if err := node.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if !strings.Contains(output.String(), "Starting RabbitMQ") {
		t.Errorf("output has no banner: %q", output.String())
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	tests := map[string]struct {
		options rabbitmqtest.Options
		timeout time.Duration
		want    string
		wantErr error
	}{
		"bad configuration": {
			options: rabbitmqtest.Options{Config: "channel_max = many"}, timeout: 5 * time.Minute, want: "channel_max",
		},
		"no definitions": {
			options: rabbitmqtest.Options{Definitions: "missing.json"}, timeout: 5 * time.Minute, wantErr: fs.ErrNotExist,
		},
		"no certificate": {
			options: rabbitmqtest.Options{TLS: &rabbitmqtest.TLS{Certificate: "missing.pem", Key: "missing.key"}},
			timeout: 5 * time.Minute, wantErr: fs.ErrNotExist,
		},
		"port taken": {
			options: rabbitmqtest.Options{Port: taken.Addr().(*net.TCPAddr).Port}, timeout: 5 * time.Minute, wantErr: syscall.EADDRINUSE,
		},
		"context ends": {timeout: time.Second, wantErr: context.DeadlineExceeded},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), test.timeout)
			defer cancel()
			test.options.Dir = t.TempDir()
			_, err := rabbitmqtest.Start(ctx, test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Start = %v, want an error with %q", err, test.want)
			}
			if test.wantErr != nil && !errors.Is(err, test.wantErr) {
				t.Errorf("Start = %v, want %v", err, test.wantErr)
			}
			assertNothingLeft(t, test.options.Dir)
		})
	}
}

func start(ctx context.Context, t *testing.T, options rabbitmqtest.Options) *rabbitmqtest.Node {
	t.Helper()
	node, err := rabbitmqtest.Start(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return node
}

// queues returns the names of the node's queues and the numbers of their messages.
func queues(ctx context.Context, t *testing.T, node *rabbitmqtest.Node) string {
	t.Helper()
	out, err := node.Ctl(ctx, "list_queues", "--no-table-headers", "name", "messages")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func runCtlCommand(ctx context.Context, t *testing.T, node *rabbitmqtest.Node, args ...string) string {
	t.Helper()
	env, command := node.CtlCommand()
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], args...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func dial(t *testing.T, url string) *amqp.Connection {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func channel(t *testing.T, conn *amqp.Connection) *amqp.Channel {
	t.Helper()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// publish declares a durable queue and publishes a persistent message to it. The broker confirms it once it is on disk.
func publish(ctx context.Context, t *testing.T, url, queue, body string) {
	t.Helper()
	ch := channel(t, dial(t, url))
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	message := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)}
	confirmation, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, message)
	if err != nil {
		t.Fatal(err)
	}
	if acked, err := confirmation.WaitContext(ctx); err != nil || !acked {
		t.Fatalf("confirmation = %t, %v", acked, err)
	}
}

func get(t *testing.T, url, queue string) string {
	t.Helper()
	message, ok, err := channel(t, dial(t, url)).Get(queue, true)
	if err != nil || !ok {
		t.Fatalf("Get = %t, %v", ok, err)
	}
	return string(message.Body)
}

func isCode(err error, code int) bool {
	var e *amqp.Error
	return errors.As(err, &e) && e.Code == code
}

// assertNothingLeft fails the test if a node whose folder was in dir has left a file or a process.
func assertNothingLeft(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s is left", entry.Name())
	}
	if _, err := os.Stat("erl_crash.dump"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a crash dump is left in the working directory: %v", err)
	}
	processtest.AwaitNone(t, "HOME="+dir)
}
