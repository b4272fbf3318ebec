package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

func newTestInspector(t *testing.T, url string) *Inspector {
	t.Helper()
	i, err := NewInspector(awaittest.Context(t), Options{URLs: []string{url}, Name: t.Name(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func TestInspectQueues(t *testing.T) {
	i, b, q := newTestInspector(t, testURL), newTestBroker(t, Options{}), testQueue(t)
	if i.User() != "guest" || strings.Count(i.Version(), ".") != 2 {
		t.Errorf("user %q on version %q", i.User(), i.Version())
	}
	wantDifference := func(q messaging.Queue, want string) {
		t.Helper()
		got, err := i.Difference(awaittest.Context(t), q)
		if err != nil || !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("difference %q, %v; want %q", got, err, want)
		}
	}

	wantDifference(q, "") // does not declare it, or else the next one would find another type
	quorum, longer := q, q
	quorum.Type, longer.Expiry = messaging.Quorum, time.Hour
	wantDifference(quorum, "")
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
	wantDifference(q, "")
	wantDifference(quorum, "inequivalent arg 'x-queue-type'")
	wantDifference(longer, "inequivalent arg 'x-expires'")
	wantDifference(q, "") // the refusals have closed channels
}

// TestInspectPermissions inspects as a user with the permissions of a service.
func TestInspectPermissions(t *testing.T) {
	t.Parallel()
	node := lockFaultyNode(t)
	ctl(t, node, "add_user", "orders", "secret")
	_, err := NewInspector(awaittest.Context(t), Options{URLs: []string{strings.Replace(node.URL(), "guest:guest", "orders:other", 1)}})
	if !errors.Is(err, ErrAccessRefused) || !errors.Is(err, messaging.ErrUnavailable) {
		t.Errorf("log in with another password: %v, want ErrAccessRefused", err)
	}
	t.Cleanup(func() { ctl(t, node, "delete_user", "orders") })
	url := strings.Replace(node.URL(), "guest:guest", "orders:secret", 1)
	ctl(t, node, "set_permissions", "orders", `^orders\.|^stock\.`, `^amq\.default$`, `^orders\.`)
	i := newTestInspector(t, url)

	now, err := i.RoundTrip(awaittest.Context(t), "orders.inspect")
	if since := time.Since(now); err != nil || since < 0 || since > within {
		t.Errorf("the broker's time is %s, %v", now, err)
	}
	if _, err := i.RoundTrip(awaittest.Context(t), "orders.inspect1", "stock.inspect1"); err != nil {
		t.Errorf("may not declare: %v", err)
	}
	for _, queues := range [][]string{{"orders.inspect3", "other.inspect"}, {"other.inspect"}, {"stock.inspect"}} {
		if _, err := i.RoundTrip(awaittest.Context(t), queues[0], queues[1:]...); !errors.Is(err, ErrAccessRefused) {
			t.Errorf("%q: got %v, want ErrAccessRefused", queues, err)
		}
	}
	ctl(t, node, "set_permissions", "orders", `^orders\.`, `^$`, `^orders\.`)
	if _, err := newTestInspector(t, url).RoundTrip(awaittest.Context(t), "orders.inspect2"); !errors.Is(err, ErrAccessRefused) {
		t.Errorf("publish: got %v, want ErrAccessRefused", err)
	}

	i.Close()
	quorum := messaging.Queue{Name: "orders.inspect", Durable: true, Type: messaging.Quorum}
	if d, err := newTestInspector(t, node.URL()).Difference(awaittest.Context(t), quorum); d != "" || err != nil {
		t.Errorf("a queue is left: %s, %v", d, err)
	}
}

// TestInspectBlocked inspects a broker with a memory alarm, which reads nothing.
func TestInspectBlocked(t *testing.T) {
	t.Parallel()
	node := lockFaultyNode(t)
	raiseMemoryAlarm(t, node)
	ctx, cancel := context.WithTimeout(awaittest.Context(t), 5*time.Second)
	defer cancel()
	_, err := newTestInspector(t, node.URL()).RoundTrip(ctx, "inspect")
	if !errors.Is(err, messaging.ErrUnavailable) || !strings.Contains(err.Error(), "blocked") {
		t.Errorf("got %v, want that the broker is blocked", err)
	}
}
