package dead

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

var brokerURL string

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(rabbitmqtest.Tests{M: m, URL: &brokerURL})
}

// result is the output of a command, and the error that makes its exit status 1.
type result struct{ out, notes, err string }

// warren runs warren with args, without a terminal.
func warren(t *testing.T, args ...string) result {
	t.Helper()
	return warrenUntil(awaittest.Context(t), t, args...)
}

func warrenUntil(ctx context.Context, t *testing.T, args ...string) result {
	t.Helper()
	return run(ctx, t, append(args, "--broker-url="+brokerURL)...)
}

// run runs warren with the broker that args name.
func run(ctx context.Context, t *testing.T, args ...string) result {
	t.Helper()
	var commands struct {
		Dead Command `cmd:""`
	}
	var out, notes bytes.Buffer
	parser, err := kong.New(&commands, kong.Writers(&out, &notes), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args)
	if err == nil {
		err = parsed.Run()
	}
	return result{out.String(), notes.String(), errorText(err)}
}

// newBroker returns the connection of a service.
func newBroker(t *testing.T) messaging.Broker {
	t.Helper()
	return newBrokerAt(t, brokerURL)
}

func newBrokerAt(t *testing.T, url string) messaging.Broker {
	t.Helper()
	b, err := rabbitmq.New(rabbitmq.Options{URLs: []string{url}, Name: t.Name(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(awaittest.Context(t)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	awaittest.Until(t, "the broker to be ready", func() bool { return b.Ready() == nil })
	return b
}

// newQueue declares the queue of a method.
func newQueue(t *testing.T, b messaging.Broker, queueType messaging.QueueType) messaging.Queue {
	t.Helper()
	q := messaging.Queue{
		Name:    "dead." + rand.Text(),
		Durable: true,
		Type:    queueType,
		Expiry:  10 * time.Minute, // cleans up a shared broker
	}
	ensure(t, b, q)
	return q
}

// newDeadLetterQueue declares the queue for q's dead-lettered messages.
func newDeadLetterQueue(t *testing.T, b messaging.Broker, q messaging.Queue) {
	t.Helper()
	q.Name += ".dead"
	ensure(t, b, q)
}

func ensure(t *testing.T, b messaging.Broker, q messaging.Queue) {
	t.Helper()
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
}

var died = time.Date(2026, time.May, 1, 2, 3, 4, 0, time.UTC)

// bury puts messages of q into its dead-letter queue, as services do.
func bury(t *testing.T, b messaging.Broker, q messaging.Queue, messages ...messaging.Message) {
	t.Helper()
	for _, m := range messages {
		m = deadletter.Mark(m, q.Name, deadletter.ReasonDeliveryLimit, died)
		if err := b.Publish(awaittest.Context(t), q.Name+".dead", m); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitList polls until the list of q's dead-lettered messages has these ids. A quorum queue takes a moment to put back what a
// cursor has shown.
func awaitList(t *testing.T, q messaging.Queue, want ...string) {
	t.Helper()
	var r result
	defer func() {
		if t.Failed() {
			t.Logf("the last list: %+v", r)
		}
	}()
	awaittest.Until(t, "the ids "+strings.Join(want, ", "), func() bool {
		r = warren(t, "dead", "list", q.Name)
		return strings.Join(ids(r.out), ",") == strings.Join(want, ",")
	})
}

// ids returns the ids in a list.
func ids(list string) []string {
	lines := strings.Split(strings.TrimSpace(list), "\n")
	var out []string
	for _, line := range lines[min(2, len(lines)):] {
		id, _, _ := strings.Cut(line, " ")
		out = append(out, id)
	}
	return out
}

// forEachQueueType runs a test with a new method's queue of each type, and an empty queue for its dead-lettered messages.
func forEachQueueType(t *testing.T, f func(t *testing.T, b messaging.Broker, q messaging.Queue)) {
	t.Helper()
	for _, queueType := range []messaging.QueueType{messaging.Classic, messaging.Quorum} {
		t.Run(string(queueType), func(t *testing.T) {
			b := newBroker(t)
			q := newQueue(t, b, queueType)
			newDeadLetterQueue(t, b, q)
			f(t, b, q)
		})
	}
}

// brokerUser returns the user in the URL of the tests' broker.
func brokerUser(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(brokerURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.User.Username()
}
