package call

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/rpc/identitykeys"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
)

var brokerURL string

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(rabbitmqtest.Tests{M: m, URL: &brokerURL})
}

// warren runs warren call with args and returns what it prints.
func warren(ctx context.Context, t *testing.T, args ...string) (string, error) {
	t.Helper()
	var commands struct {
		Call Command `cmd:""`
	}
	var out bytes.Buffer
	parser, err := kong.New(&commands, kong.Name("warren"), kong.Writers(&out, &out), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(append([]string{"call"}, args...))
	if err == nil {
		err = parsed.Run()
	}
	return out.String(), err
}

// onBroker appends the flags of the tests' broker. The time is long, because the machine may be busy.
func onBroker(args ...string) []string {
	return append(slices.Clone(args), "--broker-url="+brokerURL, "--timeout="+awaittest.Limit.String())
}

// call runs a call that must succeed.
func call(t *testing.T, args ...string) string {
	t.Helper()
	out, err := warren(awaittest.Context(t), t, onBroker(args...)...)
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out
}

func connect(t *testing.T) *rabbitmq.Broker {
	t.Helper()
	b, err := rabbitmq.New(rabbitmq.Options{URLs: []string{brokerURL}, Name: t.Name(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	awaittest.Until(t, "the broker to be ready", func() bool { return b.Ready() == nil })
	return b
}

// serve runs a service with the methods echo, which replies with what it has received, and fail. It returns their prefix.
func serve(t *testing.T, keys string) string {
	t.Helper()
	b, logger := connect(t), slog.New(slog.DiscardHandler)
	name := "test-" + rand.Text() + "."
	s := rpc.NewServer(b, rpc.ServerOptions{Logger: logger, IdentityKey: identitykeys.NewDirectory(keys, logger).Key})
	s.Handle(name+"echo", func(_ context.Context, r *rpc.Request) (*rpc.Reply, error) {
		seen := echo{r.Query, r.Params, r.Header, r.ContentType, string(r.Body), ""}
		if r.Identity != nil {
			seen.User = r.Identity.Username
		}
		body, err := json.Marshal(seen)
		return &rpc.Reply{Header: http.Header{"X-Test": {"yes"}}, ContentType: "application/json", Body: body}, err
	})
	s.Handle(name+"fail", func(context.Context, *rpc.Request) (*rpc.Reply, error) { return nil, rpc.Conflict("taken") })
	if err := s.Start(awaittest.Context(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Drain(awaittest.Context(t)), b.Close(awaittest.Context(t))); err != nil {
			t.Error(err)
		}
	})
	return name
}

type echo struct {
	Query       map[string][]string
	Params      map[string]string
	Header      http.Header
	ContentType string
	Body, User  string
}

func TestRequest(t *testing.T) {
	prefix := serve(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(file, []byte("[1]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want echo
	}{
		"nothing": {nil, echo{}},
		"pairs": {
			[]string{"--query=a=1=2", "--query=a=,3", "--query", "b=", "--param=id=7", "--header=x-a=1", "--header=x-a=2; 3"},
			echo{
				Query:  map[string][]string{"a": {"1=2", ",3"}, "b": {""}},
				Params: map[string]string{"id": "7"},
				Header: http.Header{"X-A": {"1", "2; 3"}},
			},
		},
		"text": {[]string{"--body", "{}"}, echo{ContentType: "application/json", Body: "{}"}},
		"file": {[]string{"--body=@" + file}, echo{ContentType: "application/json", Body: "[1]\n"}},
		"content type": {
			[]string{"--body=hello", "--header=content-type=text/plain"}, echo{ContentType: "text/plain", Body: "hello"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got echo
			if err := json.Unmarshal([]byte(call(t, append(test.args, prefix+"echo")...)), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	prefix := serve(t, t.TempDir())
	out := call(t, prefix+"echo", "-i")
	head, body, _ := strings.Cut(out, "\r\n\r\n")
	if head != "200 OK\r\nContent-Type: application/json\r\nX-Test: yes" || !strings.HasPrefix(body, "{") || strings.HasSuffix(body, "\n") {
		t.Errorf("got %q", out)
	}
	out, err := warren(awaittest.Context(t), t, onBroker(prefix+"fail")...)
	if err == nil || err.Error() != "call "+prefix+"fail: 409 Conflict" || !strings.Contains(out, `"detail":"taken"`) {
		t.Errorf("got %q, %v", out, err)
	}
}

// TestIdentity calls as a user of access-control, whose signature the called service verifies.
func TestIdentity(t *testing.T) {
	folder := t.TempDir()
	keys := filepath.Join(folder, "identity-keys")
	t.Setenv("ACCESS_CONTROL_DATABASE", filepath.Join(folder, "access-control.db"))
	t.Setenv("ACCESS_CONTROL_KEYS", filepath.Join(folder, "keys"))
	t.Setenv("ACCESS_CONTROL_BCRYPT_COST", "10")
	t.Setenv("DEMO_DATA", "true")
	all := services.All()
	i := slices.IndexFunc(all, func(s service.Service) bool { return s.Name == "access-control" })
	defer servicetest.Run(t, all[i], connect(t), "--rpc-identity-keys="+keys).Stop()
	prefix := serve(t, keys)
	wantUser := func(user string, args ...string) {
		t.Helper()
		var got echo
		if err := json.Unmarshal([]byte(call(t, append(args, prefix+"echo")...)), &got); err != nil || got.User != user {
			t.Errorf("%q called as %q, %v", args, got.User, err)
		}
	}
	wantError := func(want string, args ...string) {
		t.Helper()
		_, err := warren(awaittest.Context(t), t, onBroker(append(args, prefix+"echo")...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}

	wantUser("")
	wantUser("demo", "--as=demo")
	if out := call(t, "access-control.logout", "--as=demo", "-i"); out != "204 No Content\r\n\r\n" {
		t.Errorf("logged out with %q", out)
	}
	wantError("log in as demo: call access-control.login: 401 Unauthorized", "--as=demo", "--password=wrong")
	t.Setenv("WARREN_PASSWORD", "admin")
	wantUser("admin", "--as=admin")
	wantError("log in as demo", "--as=demo")

	var token struct {
		AccessToken string `json:"access_token"`
	}
	login := call(t, "access-control.login", `--body={"username":"demo","password":"demo"}`)
	if err := json.Unmarshal([]byte(login), &token); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "identity.json")
	identity := call(t, "access-control.validateToken", `--body={"token":"`+token.AccessToken+`"}`)
	if err := os.WriteFile(file, []byte(identity), 0o600); err != nil {
		t.Fatal(err)
	}
	wantUser("demo", "--identity=@"+file)
	wantError("401 Unauthorized", `--identity={"subject":"1","username":"forged"}`)
	wantError("401 Unauthorized", "--identity="+strings.Replace(identity, `username=demo`, `username=admin`, 1))
}

// isMissing reports whether the tests' broker has no such queue.
func isMissing(t *testing.T, queue string) bool {
	t.Helper()
	browser, err := rabbitmq.NewBrowser(awaittest.Context(t), rabbitmq.Options{URLs: []string{brokerURL}})
	if err != nil {
		t.Fatal(err)
	}
	defer browser.Close()
	_, err = browser.Open(awaittest.Context(t), queue)
	return errors.Is(err, deadletter.ErrNoQueue)
}

// TestCallbackQueue ends calls in each way. Their callback queues end with them.
func TestCallbackQueue(t *testing.T) {
	b := connect(t)
	defer func() { _ = b.Close(awaittest.Context(t)) }()
	replies := make(chan string, 1)
	queue := messaging.Queue{Name: "test-" + rand.Text(), Durable: true, Expiry: 10 * time.Minute}
	if _, err := b.Subscribe(awaittest.Context(t), queue, func(ctx context.Context, m messaging.Message) error {
		replies <- m.ReplyTo
		if string(m.Body) == "hang" {
			return nil
		}
		return b.Send(ctx, m.ReplyTo, messaging.Message{CorrelationID: m.CorrelationID, Body: []byte("55")}) // as plain AMQP services reply
	}); err != nil {
		t.Fatal(err)
	}
	wantGone := func(queue string) {
		t.Helper()
		if !strings.HasPrefix(queue, "guest.rpc.response.call-") {
			t.Errorf("the callback queue is %s", queue)
		}
		awaittest.Until(t, "the callback queue to be deleted", func() bool { return isMissing(t, queue) })
	}

	if out := call(t, queue.Name, "--body=10"); out != "55" {
		t.Errorf("got %q", out)
	}
	wantGone(<-replies)

	_, err := warren(awaittest.Context(t), t, queue.Name, "--body=hang", "--timeout=100ms", "--broker-url="+brokerURL)
	if !errors.Is(err, rpc.ErrTimeout) || !strings.Contains(err.Error(), "no reply in time: waited for 100ms: the service is running") {
		t.Errorf("got %v", err)
	}
	wantGone(<-replies)

	ctx, interrupt := context.WithCancel(awaittest.Context(t))
	ended := make(chan error)
	go func() {
		_, err := warren(ctx, t, onBroker(queue.Name, "--body=hang")...)
		ended <- err
	}()
	callback := <-replies
	interrupt()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantGone(callback)
}

// TestRefusals: each error is one line and leaves no queue.
func TestRefusals(t *testing.T) {
	b := connect(t)
	defer func() { _ = b.Close(awaittest.Context(t)) }()
	idle := messaging.Queue{Name: "test-" + rand.Text() + ".get", Durable: true, Expiry: 10 * time.Minute}
	if err := b.Ensure(awaittest.Context(t), idle); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	missing := "test-" + rand.Text() + ".get"
	for name, test := range map[string]struct {
		args  []string
		usage bool
		want  string
	}{
		"no method":       {nil, true, `expected "<method>"`},
		"long method":     {[]string{strings.Repeat("a", 256), "--broker-url=" + brokerURL}, false, "255"},
		"two methods":     {[]string{"a.b", "c.d"}, true, "unexpected argument c.d"},
		"query":           {[]string{"a.b", "--query=limit"}, true, `--query: must be NAME=VALUE, is "limit"`},
		"param":           {[]string{"a.b", "--param==1"}, true, `--param: must be NAME=VALUE, is "=1"`},
		"header":          {[]string{"a.b", "--header=X-A: 1"}, true, `--header: must be NAME=VALUE, is "X-A: 1"`},
		"missing body":    {[]string{"a.b", "--body=@missing.json"}, true, "--body: open missing.json: no such file"},
		"odd identity":    {[]string{"a.b", "--identity=demo"}, true, "--identity: read the JSON of an identity"},
		"empty identity":  {[]string{"a.b", "--identity={}"}, true, "--identity: there is neither an assertion nor a subject"},
		"two identities":  {[]string{"a.b", "--as=demo", `--identity={"subject":"1"}`}, true, "can't be used together"},
		"timeout":         {[]string{"a.b", "--timeout=0s"}, true, "--timeout must be above 0s, is 0s"},
		"odd timeout":     {[]string{"a.b", "--timeout=soon"}, true, "--timeout"},
		"odd broker":      {[]string{"a.b", "--broker-url=http://u:secret@b"}, true, "BROKER_URL: URL 1 of 1 is not of the form"},
		"no broker":       {[]string{"a.b", "--broker-url=amqp://127.0.0.1:1,amqp://127.0.0.1:1"}, false, "connection refused"},
		"silent broker":   {[]string{"a.b", "--broker-url=amqp://u:secret@" + silent.Addr().String()}, false, "connect to BROKER_URL"},
		"no such method":  {[]string{missing, "--broker-url=" + brokerURL}, false, missing + ": message unroutable: the broker has no"},
		"service is down": {[]string{idle.Name, "--broker-url=" + brokerURL, "--timeout=1ms"}, false, idle.Name + " has no consumer: the"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := warren(awaittest.Context(t), t, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") ||
				strings.Contains(err.Error(), "secret") || out != "" {
				t.Errorf("got %v, want one line with %q; printed %q", err, test.want, out)
			}
			if _, usage := errors.AsType[*kong.ParseError](err); usage != test.usage {
				t.Errorf("bad input: %t, want %t", usage, test.usage)
			}
		})
	}
	if !isMissing(t, missing) {
		t.Error("a queue is left")
	}
}
