package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/pkg/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTimeout bounds each wait of these tests. Only failing tests take that long.
const testTimeout = 4 * time.Minute

var errRefused = fmt.Errorf("%w: login", rabbitmq.ErrAccessRefused)

// fakeBroker is what an inspector sees.
type fakeBroker struct {
	user, version string
	passwords     map[string]string // of the users besides that of BROKER_URL
	mayNot        string            // the first part of the queue that no user may declare
	differing     map[string]messaging.QueueType
	clock         *time.Duration // how far its clock is ahead; nil: it tells no time
	err           error          // of each question
}

func (b *fakeBroker) inspect(_ context.Context, o rabbitmq.Options) (inspector, error) {
	scheme, rest, _ := strings.Cut(o.URLs[0], "://")
	credentials, _, _ := strings.Cut(rest, "@")
	user, password, _ := strings.Cut(credentials, ":")
	if scheme == "" || user != b.user && (password == "" || b.passwords[user] != password) {
		return nil, errRefused
	}
	return fakeInspector{b, user}, nil
}

type fakeInspector struct {
	*fakeBroker
	name string
}

func (i fakeInspector) User() string    { return i.name }
func (i fakeInspector) Version() string { return i.version }
func (i fakeInspector) Close()          {}

func (i fakeInspector) Difference(_ context.Context, q messaging.Queue) (string, error) {
	if t := i.differing[q.Name]; t != "" && t != q.Type {
		return fmt.Sprintf("%s, not %s", t, q.Type), nil
	}
	return "", i.err
}

func (i fakeInspector) RoundTrip(_ context.Context, queue string, others ...string) (now time.Time, err error) {
	for _, queue := range append(others, queue) {
		if owner, _, _ := strings.Cut(queue, "."); owner == i.mayNot {
			return now, fmt.Errorf("%w: declare queue of %s", rabbitmq.ErrAccessRefused, owner)
		}
	}
	if i.clock != nil {
		now = time.Now().Add(*i.clock)
	}
	return now, i.err
}

// world is a machine on which nothing is wrong.
type world struct {
	machine
	broker   *fakeBroker
	programs map[string]string // what they print; "": they fail
	files    fstest.MapFS
}

func newWorld() *world {
	w := &world{
		broker: &fakeBroker{
			user: "guest", version: "4.3.6", clock: new(time.Duration),
			passwords: map[string]string{"stock": "s", "front": "f"}, differing: map[string]messaging.QueueType{},
		},
		programs: map[string]string{
			"go env GOVERSION": "go1.26.8", "go list -m": "m", "go env CC": "gcc", "gcc --version": "gcc 12",
			"sh -c ulimit -Hn": "20000", "/sbin/rabbitmqctl version": "4.3.6",
		},
		files: fstest.MapFS{
			"services/stock/internal/adapters/rpc/rpc.go": {Data: []byte(`rpc.Handle(server, "stock.get", h.get)`)},
			"deployments/rabbitmq/urls/stock":             {Data: []byte("amqp://stock:s@rabbitmq:5672/\n")},
			"deployments/rabbitmq/urls/front":             {Data: []byte("amqp://front:other@rabbitmq:5672/\n")},
			"deployments/secrets/urls/front":              {Data: []byte("amqp://front:f@rabbitmq:5672/\n")},
		},
	}
	w.machine = machine{
		services: []service.Service{
			{Name: "stock", AdminAddr: "127.0.0.1:0"},
			{Name: "front", AdminAddr: "127.0.0.1:0", Calls: []string{"stock"}, Config: &struct {
				Addr           string `name:"gateway-addr" default:"127.0.0.1:0" validate:"hostport"`
				MaxConnections int    `name:"gateway-max-connections" default:"10000"`
			}{}},
		},
		run: func(_ context.Context, program string, args ...string) (string, error) {
			command := strings.Join(append([]string{program}, args...), " ")
			if out := w.programs[command]; out != "" {
				return out, nil
			}
			return "", fmt.Errorf("no %s", command)
		},
		findCtl: func() (string, error) { return "/sbin/rabbitmqctl", nil },
		inspect: func(ctx context.Context, o rabbitmq.Options) (inspector, error) { return w.broker.inspect(ctx, o) },
	}
	w.checkout = w.files
	w.machine.broker = &rabbitmq.Options{URLs: []string{"amqp://guest@127.0.0.1:5672/"}}
	return w
}

// report returns the report, and the error of a failed check.
func report(t *testing.T, m machine) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	var out bytes.Buffer
	err := m.report(ctx, &out)
	return out.String(), err
}

func TestNothingWrong(t *testing.T) {
	out, err := report(t, newWorld().machine)
	want := `ok    Go          go1.26.8
ok    C compiler  gcc 12
ok    ports       127.0.0.1:0 is free for ADMIN_ADDR of stock
ok    ports       127.0.0.1:0 is free for GATEWAY_ADDR of front
ok    ports       127.0.0.1:0 is free for ADMIN_ADDR of front
ok    open files  20000 allowed, enough for GATEWAY_MAX_CONNECTIONS=10000
ok    RabbitMQ    4.3.6 in /sbin, for make test and make demo BROKER=rabbitmq
ok    broker      RabbitMQ 4.3.6
ok    user        guest may declare, publish and consume
ok    clock       agrees with the broker's to a second or two
ok    users       stock may do what it needs, with the password in deployments/rabbitmq/urls/stock
ok    users       front may do what it needs, with the password in deployments/secrets/urls/front
ok    queues      those that exist are as RPC_QUEUE_TYPE and RPC_CALLBACK_QUEUE_TYPE say
`
	if out != want || err != nil {
		t.Errorf("got %v\n%s", err, out)
	}
}

func TestFindings(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	taken := listener.Addr().String()
	clock := func(d time.Duration) func(*world) { return func(w *world) { w.broker.clock = &d } }
	missing := func(command string) func(*world) { return func(w *world) { delete(w.programs, command) } }
	unchanged := func(*world) {}
	for name, test := range map[string]struct {
		change func(*world)
		env    string // NAME=VALUE
		want   string // the line, in part
	}{
		"no Go":       {missing("go env GOVERSION"), "", "fail Go no go env GOVERSION: see https://go.dev"},
		"old Go":      {missing("go list -m"), "", "fail Go no go list -m: see"},
		"no compiler": {missing("gcc --version"), "", "warn C compiler no gcc --version: make test needs one"},
		"port": {
			unchanged, "GATEWAY_ADDR=" + taken,
			"warn ports GATEWAY_ADDR of front, unless this system runs here now: listen tcp " + taken + ": bind: address already in use: stop",
		},
		"other port": {unchanged, "GATEWAY_ADDR=localhost:0", "ok ports localhost:0 is free for GATEWAY_ADDR of front"},
		"few files":  {unchanged, "GATEWAY_MAX_CONNECTIONS=20000", "warn open files 20000 allowed, GATEWAY_MAX_CONNECTIONS=20000 needs 20100"},
		"odd files":  {unchanged, "GATEWAY_MAX_CONNECTIONS=all", "fail open files GATEWAY_MAX_CONNECTIONS is no number"},
		"no limit":   {missing("sh -c ulimit -Hn"), "", "- open files no sh -c ulimit"},
		"unlimited":  {func(w *world) { w.programs["sh -c ulimit -Hn"] = "unlimited" }, "", "ok open files unlimited"},
		"odd limit":  {func(w *world) { w.programs["sh -c ulimit -Hn"] = "many" }, "", "- open files "},
		"no RabbitMQ": {
			func(w *world) { w.findCtl = func() (string, error) { return "", errors.New("none") } }, "",
			"warn RabbitMQ none: make rabbitmq gets one",
		},
		"odd RabbitMQ": {missing("/sbin/rabbitmqctl version"), "", "warn RabbitMQ no /sbin/rabbitmqctl version"},

		"not set":    {func(w *world) { w.machine.broker = nil }, "", "- broker BROKER_URL is not set"},
		"no broker":  {func(w *world) { w.broker.user = "other" }, "", "fail broker access refused: login: start it, or correct BROKER_URL"},
		"old broker": {func(w *world) { w.broker.version = "3.9.29" }, "", "fail broker RabbitMQ 3.9.29: 3.10 or newer is needed"},
		"user":       {func(w *world) { w.broker.mayNot = "guest" }, "", "fail user access refused: declare queue of guest: grant it"},
		"no answer": {
			func(w *world) { w.broker.err = context.DeadlineExceeded }, "",
			"fail user no message came back to guest: context deadline",
		},

		"clock ahead":   {clock(time.Minute), "", "warn clock 1m0s or more away"},
		"clock behind":  {clock(-time.Minute), "", "warn clock 59s or more away"},
		"second ahead":  {clock(time.Second), "", "ok clock "},
		"second behind": {clock(-time.Second), "", "ok clock "},
		"no clock":      {func(w *world) { w.broker.clock = nil }, "", "- clock the broker did not tell"},

		"no user": {
			func(w *world) { delete(w.broker.passwords, "front") }, "",
			"warn users front: the broker refuses the password in deployments/: import the definitions, unless",
		},
		"no password": {
			func(w *world) { delete(w.files, "deployments/rabbitmq/urls/stock") }, "",
			"fail users log in as stock: open deployments/secrets/urls/stock: file does not exist",
		},
		"odd URL": {
			func(w *world) { w.files["deployments/secrets/urls/front"].Data = []byte("amqp://a:\x00secret@") }, "",
			"fail users log in as front: deployments/secrets/urls/front is no URL",
		},
		"may not call": {
			func(w *world) { w.broker.mayNot = "stock" }, "",
			"fail users front: access refused: declare queue of stock: run make generate",
		},
		"may not consume": {
			func(w *world) { w.broker.mayNot = "front" }, "",
			"fail users front: access refused: declare queue of front: run make generate",
		},

		"queue type": {
			func(w *world) { w.broker.differing["stock.get"] = messaging.Quorum }, "",
			"warn queues stock.get: quorum, not classic: services",
		},
		"set queue type": {
			func(w *world) { w.broker.differing["stock.get"] = messaging.Classic }, "RPC_QUEUE_TYPE=quorum",
			"warn queues stock.get: classic, not quorum",
		},
		"dead-letter queue": {
			func(w *world) { w.broker.differing["stock.get.dead"] = messaging.Quorum }, "",
			"warn queues stock.get.dead: quorum",
		},
		"callback queue": {
			func(w *world) { w.broker.differing["front.rpc.response"] = messaging.Classic }, "RPC_CALLBACK_QUEUE_TYPE=quorum",
			"warn queues front.rpc.response: classic",
		},
		"hidden queues": {func(w *world) { w.broker.err = errRefused }, "", "- queues guest may not look at all of them"},
		"no answer on queues": {
			func(w *world) { w.broker.err = context.DeadlineExceeded }, "",
			"fail queues look at stock.get: context deadline exceeded",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			test.change(w)
			if name, value, ok := strings.Cut(test.env, "="); ok {
				t.Setenv(name, value)
			}
			out, err := report(t, w.machine)
			if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
				return strings.HasPrefix(strings.Join(strings.Fields(line), " "), test.want)
			}) {
				t.Errorf("want %q in\n%s", test.want, out)
			}
			if failed := strings.HasPrefix(test.want, "fail"); (err != nil) != failed && (failed || !strings.Contains(out, "fail ")) {
				t.Errorf("the error is %v after\n%s", err, out)
			}
			if strings.Contains(out, "secret@") {
				t.Errorf("a password in\n%s", out)
			}
		})
	}
}

// TestBrokerOfTheDeployment checks a broker that has the users of the deployment, as one of them, with a queue of another type.
func TestBrokerOfTheDeployment(t *testing.T) {
	definitions, err := filepath.Abs("../../../../deployments/rabbitmq/definitions/services.json")
	if err != nil {
		t.Fatal(err)
	}
	node := rabbitmqtest.StartNode(t, rabbitmqtest.Options{Definitions: definitions})
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	url := strings.Replace(node.URL(), "guest:guest", "access-control:access-control-development", 1)
	options := rabbitmq.Options{URLs: []string{url}, Name: t.Name(), Logger: slog.New(slog.DiscardHandler)}
	b, err := rabbitmq.New(options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close(ctx) }()
	awaittest.Until(t, "the broker to be ready", func() bool { return b.Ready() == nil })
	if err := b.Ensure(ctx, messaging.Queue{Name: "access-control.login", Durable: true, Type: messaging.Quorum}); err != nil {
		t.Fatal(err)
	}
	m, err := newMachine()
	if err != nil {
		t.Fatal(err)
	}
	m.broker = &options
	var lines []string
	for _, f := range m.checkBroker(ctx) {
		lines = append(lines, f.level+" "+f.subject+" "+f.text)
	}
	want := []string{"ok broker RabbitMQ ", "ok user access-control may", "ok clock agrees"}
	for _, s := range services.All() {
		want = append(want, "ok users "+s.Name+" may do what it needs, with the password in deployments/")
	}
	// Since 4.3 this user may not look at the queues of others, which is the last line then.
	want = append(want, "warn queues access-control.login: inequivalent arg 'x-queue-type' for queue ")
	if len(lines) < len(want) || !slices.EqualFunc(lines[:len(want)], want, strings.HasPrefix) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// TestSilentBroker checks a broker that accepts connections and says nothing.
func TestSilentBroker(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	m, err := newMachine()
	if err != nil {
		t.Fatal(err)
	}
	m.broker = &rabbitmq.Options{URLs: []string{"amqp://u:secret@" + silent.Addr().String()}}
	found := m.checkBroker(t.Context())
	if len(found) != 1 || found[0].level != fail || strings.Contains(found[0].text, "secret") {
		t.Errorf("got %v", found)
	}
}

func TestRun(t *testing.T) {
	for command, want := range map[string]string{"echo": "", "false": "run false: exit status 1", "no-such": "executable file not found"} {
		_, err := run(t.Context(), command)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", command, err, want)
		}
	}
}
