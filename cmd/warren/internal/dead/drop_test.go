package dead

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/service"
)

func TestDrop(t *testing.T) {
	forEachQueueType(t, func(t *testing.T, b messaging.Broker, q messaging.Queue) {
		bury(t, b, q, request("1"), request("2"), request("3"))
		if got, want := warren(t, "dead", "drop", q.Name, "2"), (result{out: "dropped 2\n"}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		awaitList(t, q, "1", "3")
		if got := warren(t, "dead", "drop", q.Name, "--all"); !strings.Contains(got.err, "--yes") {
			t.Errorf("got %+v, want that --yes is asked for", got)
		}
		awaitList(t, q, "1", "3")
		want := result{out: "dropped 1\ndropped 3\n"}
		if diff := cmp.Diff(want, warren(t, "dead", "drop", q.Name, "--all", "--yes"), cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("drop (-want +got):\n%s", diff)
		}
		awaitList(t, q)
	})
}

func TestDropAsks(t *testing.T) {
	b := newBroker(t)
	q := newQueue(t, b, messaging.Classic)
	newDeadLetterQueue(t, b, q)
	bury(t, b, q, request("1"), request("2"))
	question := "Drop all 2 messages of " + q.Name + ".dead? [y/N] "
	for _, test := range []struct{ answer, want string }{
		{"", question + "Nothing was dropped.\n"},
		{"n\n", question + "Nothing was dropped.\n"},
		{"Yes\n", question + "dropped 1\ndropped 2\n"},
	} {
		if got := dropAll(awaittest.Context(t), t, q, strings.NewReader(test.answer)); got.err != "" || got.out != test.want {
			t.Errorf("answer %q: got %+v, want %q", test.answer, got, test.want)
		}
	}
	awaitList(t, q)
}

// TestDropInterrupted presses Ctrl-C at the question.
func TestDropInterrupted(t *testing.T) {
	b := newBroker(t)
	q := newQueue(t, b, messaging.Classic)
	newDeadLetterQueue(t, b, q)
	bury(t, b, q, request("1"))
	in, answer := io.Pipe()
	defer answer.Close()
	ctx, interrupt := context.WithCancel(awaittest.Context(t))
	interrupted := readerFunc(func(p []byte) (int, error) {
		interrupt()
		return in.Read(p)
	})
	if got := dropAll(ctx, t, q, interrupted); got.err != context.Canceled.Error() {
		t.Errorf("got %+v, want that it was cancelled", got)
	}
	awaitList(t, q, "1")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// dropAll runs warren dead drop --all at a terminal.
func dropAll(ctx context.Context, t *testing.T, q messaging.Queue, in io.Reader) result {
	t.Helper()
	browser, err := rabbitmq.NewBrowser(awaittest.Context(t), rabbitmq.Options{
		URLs: []string{brokerURL}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer browser.Close()
	var out, notes strings.Builder
	d := dropCommand{selection: selection{Method: q.Name, All: true}}
	err = d.run(ctx, browser, console{in: in, interactive: true, out: &out, notes: &notes})
	return result{out.String(), notes.String(), errorText(err)}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestBrokerAway(t *testing.T) {
	c := Command{Broker: service.BrokerConfig{URLs: []string{"amqp://u:secret@127.0.0.1:1", "amqp://u:secret@127.0.0.1:2"}}}
	connected := func(deadletter.Browser, console) error { return errors.New("connected") }
	err := c.browse(awaittest.Context(t), &kong.Context{Kong: &kong.Kong{}}, connected)
	if err == nil || strings.Count(err.Error(), "connection refused") != 2 || strings.ContainsAny(err.Error(), "\n") {
		t.Errorf("got %v, want one line that names both nodes", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("a password in %v", err)
	}
}
