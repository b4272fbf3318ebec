package rabbitmq

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/messagingtest"
)

func newTestBrowser(t *testing.T, options Options) *Browser {
	t.Helper()
	if options.URLs == nil {
		options.URLs = []string{testURL}
	}
	options.Name = t.Name()
	b, err := NewBrowser(awaittest.Context(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func TestBrowserContract(t *testing.T) {
	for _, queueType := range []messaging.QueueType{messaging.Classic, messaging.Quorum} {
		t.Run(string(queueType), func(t *testing.T) {
			browse := func(t *testing.T) deadletter.Browser { return newTestBrowser(t, Options{}) }
			messagingtest.RunBrowser(t, connect, browse, messagingtest.Options{QueueType: queueType})
		})
	}
}

// forEachQueueType runs a test with a queue of each type that holds n messages, with their numbers as ids.
func forEachQueueType(t *testing.T, n int, f func(t *testing.T, b *Browser, q messaging.Queue)) {
	t.Helper()
	for _, queueType := range []messaging.QueueType{messaging.Classic, messaging.Quorum} {
		t.Run(string(queueType), func(t *testing.T) {
			broker := newTestBroker(t, Options{})
			q := testQueue(t)
			q.Type = queueType
			if err := broker.Ensure(awaittest.Context(t), q); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				m := messaging.Message{ID: fmt.Sprint(i), Persistent: true, Body: []byte("body")}
				if err := broker.Publish(awaittest.Context(t), q.Name, m); err != nil {
					t.Fatal(err)
				}
			}
			f(t, newTestBrowser(t, Options{}), q)
		})
	}
}

// open returns a cursor on want messages. A quorum queue takes a moment to put back what another cursor has shown.
func open(t *testing.T, b *Browser, q messaging.Queue, want int) *cursor {
	t.Helper()
	var c *cursor
	awaittest.Until(t, fmt.Sprintf("%d messages in the queue", want), func() bool {
		opened, err := b.Open(awaittest.Context(t), q.Name)
		if err != nil {
			t.Fatal(err)
		}
		c, _ = opened.(*cursor)
		if c.Left() == want {
			return true
		}
		closeCursor(t, c)
		return false
	})
	return c
}

func closeCursor(t *testing.T, c *cursor) {
	t.Helper()
	if err := c.Close(awaittest.Context(t)); err != nil {
		t.Fatal(err)
	}
}

// firstIDs returns the ids of the first limit messages of a queue that holds n.
func firstIDs(t *testing.T, b *Browser, q messaging.Queue, n, limit int) []string {
	t.Helper()
	c := open(t, b, q, n)
	defer closeCursor(t, c)
	var ids []string
	for len(ids) < limit && c.Next(awaittest.Context(t)) {
		ids = append(ids, c.Message().ID)
	}
	return ids
}

func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// TestBrowserRenews opens more cursors than RabbitMQ 4 delivers a message.
func TestBrowserRenews(t *testing.T) {
	const n, cursors = 3, 80
	forEachQueueType(t, n, func(t *testing.T, b *Browser, q messaging.Queue) {
		renewed, most := 0, int64(0)
		for range cursors {
			c := open(t, b, q, n)
			var ids []string
			for c.Next(awaittest.Context(t)) {
				ids = append(ids, c.Message().ID)
				most = max(most, failedDeliveries(c.current))
				if string(c.Message().Body) != "body" || !c.Message().Persistent {
					t.Fatalf("the message has become %+v", c.Message())
				}
			}
			closeCursor(t, c)
			if diff := cmp.Diff(numbers(0, n), ids); diff != "" {
				t.Fatalf("messages (-want +got):\n%s", diff)
			}
			renewed += c.Renewed()
		}
		if most > renewAfter {
			t.Errorf("a message was delivered %d times before, want %d at most", most, renewAfter)
		}
		want := 0
		if q.Type == messaging.Quorum {
			want = cursors / (renewAfter + 1) * n
		}
		if renewed != want {
			t.Errorf("%d messages renewed in %d cursors, want %d", renewed, cursors, want)
		}
	})
}

// TestBrowserRenewsInItsQueue renews a message whose headers named other queues. The copy goes to its own queue only.
func TestBrowserRenewsInItsQueue(t *testing.T) {
	forEachQueueType(t, 0, func(t *testing.T, b *Browser, q messaging.Queue) {
		other := q
		other.Name += ".other"
		if err := newTestBroker(t, Options{}).Ensure(awaittest.Context(t), other); err != nil {
			t.Fatal(err)
		}
		publishing := encode(&messaging.Message{ID: "copied", Headers: map[string]any{"CC": []any{other.Name}}}, "")
		if err := b.session.publisher.Load().sends.PublishWithContext(awaittest.Context(t), "", q.Name, true, false, publishing); err != nil {
			t.Fatal(err)
		}
		for range renewAfter + 2 {
			if diff := cmp.Diff([]string{"copied"}, firstIDs(t, b, q, 1, 1)); diff != "" {
				t.Fatalf("messages (-want +got):\n%s", diff)
			}
		}
		closeCursor(t, open(t, b, other, 1))
	})
}

// TestBrowserLostConnection loses the connection of a cursor. No message is lost.
func TestBrowserLostConnection(t *testing.T) {
	const n = 5
	forEachQueueType(t, n, func(t *testing.T, b *Browser, q messaging.Queue) {
		c := open(t, b, q, n)
		for range 3 {
			if !c.Next(awaittest.Context(t)) {
				t.Fatal(c.Close(awaittest.Context(t)))
			}
		}
		_ = b.session.socket.Conn.Close()
		<-b.session.ctx.Done()
		if c.Next(awaittest.Context(t)) {
			t.Error("a message came over a lost connection")
		}
		if err := c.Close(awaittest.Context(t)); !errors.Is(err, messaging.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		if diff := cmp.Diff(numbers(0, n), firstIDs(t, newTestBrowser(t, Options{}), q, n, n)); diff != "" {
			t.Errorf("what is left (-want +got):\n%s", diff)
		}
	})
}

func TestBrowserUnreachable(t *testing.T) {
	stranger, err := url.Parse(testURL)
	if err != nil {
		t.Fatal(err)
	}
	stranger.User = url.UserPassword("nobody", "wrong")
	for want, u := range map[string]string{
		"connection refused":   "amqp://127.0.0.1:1/",
		"username or password": stranger.String(),
	} {
		_, err := NewBrowser(awaittest.Context(t), Options{URLs: []string{u}})
		if !errors.Is(err, messaging.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrUnavailable and %q", err, want)
		}
	}
}

// TestBrowserBlocked browses a broker with a memory alarm. Publish fails with the reason, and no call hangs.
func TestBrowserBlocked(t *testing.T) {
	t.Parallel()
	node := lockFaultyNode(t)
	broker := newTestBroker(t, Options{URLs: []string{node.URL()}})
	q := testQueue(t)
	if err := broker.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
	if err := broker.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: "0"}); err != nil {
		t.Fatal(err)
	}
	raiseMemoryAlarm(t, node)
	b := newTestBrowser(t, Options{URLs: []string{node.URL()}})
	if diff := cmp.Diff(numbers(0, 1), firstIDs(t, b, q, 1, 1)); diff != "" {
		t.Errorf("messages during the alarm (-want +got):\n%s", diff)
	}
	var err error
	awaittest.Until(t, "a publish to be refused", func() bool {
		err = b.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: "1"})
		return err != nil
	})
	if !errors.Is(err, messaging.ErrUnavailable) || !strings.Contains(err.Error(), "blocked") {
		t.Errorf("got %v, want that the broker is blocked", err)
	}
	_, err = b.Open(awaittest.Context(t), q.Name)
	if !errors.Is(err, messaging.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

// TestBrowserReturnsMessages opens a cursor directly after another one. The messages of that are there again.
func TestBrowserReturnsMessages(t *testing.T) {
	const n = 3
	forEachQueueType(t, n, func(t *testing.T, b *Browser, q messaging.Queue) {
		for range 10 {
			c, err := b.Open(awaittest.Context(t), q.Name)
			if err != nil {
				t.Fatal(err)
			}
			if c.Left() != n {
				t.Errorf("%d messages are left, want %d", c.Left(), n)
			}
			for c.Next(awaittest.Context(t)) {
				continue
			}
			if err := c.Close(awaittest.Context(t)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
