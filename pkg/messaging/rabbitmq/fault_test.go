package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// faulty is the node that tests break, one after the other, because a start takes seconds of processor time.
var faulty struct {
	mu   sync.Mutex
	node *rabbitmqtest.Node // nil until the first test needs it
}

// lockFaultyNode returns a running node that no other test uses until this one ends.
func lockFaultyNode(t *testing.T) *rabbitmqtest.Node {
	t.Helper()
	faulty.mu.Lock()
	t.Cleanup(faulty.mu.Unlock)
	var err error
	if faulty.node == nil {
		faulty.node, err = rabbitmqtest.Start(context.Background(), rabbitmqtest.Options{})
	} else {
		err = faulty.node.Restart(context.Background()) // a test that failed may have left it stopped
	}
	if err != nil && !errors.Is(err, rabbitmqtest.ErrRunning) {
		t.Fatal(err)
	}
	return faulty.node
}

func closeFaultyNode() error {
	if faulty.node == nil {
		return nil
	}
	return faulty.node.Close()
}

// raiseMemoryAlarm makes the node block publishers until clearMemoryAlarm or the end of the test.
func raiseMemoryAlarm(t *testing.T, node *rabbitmqtest.Node) {
	t.Helper()
	t.Cleanup(func() { clearMemoryAlarm(t, node) })
	ctl(t, node, "set_vm_memory_high_watermark", "0.00001")
}

func clearMemoryAlarm(t *testing.T, node *rabbitmqtest.Node) {
	t.Helper()
	ctl(t, node, "set_vm_memory_high_watermark", "0.4") // the default of RabbitMQ 3
}

func hostOf(t *testing.T, broker string) string {
	t.Helper()
	u, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func ctl(t *testing.T, node *rabbitmqtest.Node, args ...string) string {
	t.Helper()
	out, err := node.Ctl(awaittest.Context(t), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestBlockedBroker raises a memory alarm. Publishers must get an error at once, consumers must go on, and Close must not
// hang.
func TestBlockedBroker(t *testing.T) {
	t.Parallel()
	node := lockFaultyNode(t)
	b := newTestBroker(t, Options{URLs: []string{node.URL()}})
	q := testQueue(t)
	got := received(t, b, q)
	send := func(id string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return b.Send(ctx, q.Name, messaging.Message{ID: id})
	}
	if err := send("before"); err != nil {
		t.Fatal(err)
	}
	receive(t, got)

	raiseMemoryAlarm(t, node)
	// RabbitMQ blocks a connection when it publishes the next time.
	awaittest.Until(t, "blocked", func() bool { return errors.Is(send("into the alarm"), messaging.ErrUnavailable) })
	refusal := awaittest.Within(0)
	if err, late := send("refused"), refusal.Late(); !errors.Is(err, messaging.ErrUnavailable) || late > time.Second {
		t.Errorf("send while blocked: %v after %s, want ErrUnavailable at once", err, late)
	}
	if err := b.Ready(); !errors.Is(err, messaging.ErrUnavailable) {
		t.Errorf("ready while blocked: %v", err)
	}
	if err := b.Ensure(awaittest.Context(t), testQueue(t)); err != nil {
		t.Errorf("declare while blocked: %v", err)
	}

	clearMemoryAlarm(t, node)
	awaittest.Until(t, "unblocked", func() bool { return send("after") == nil })
	for receive(t, got) != "after" {
	}

	raiseMemoryAlarm(t, node)
	awaittest.Until(t, "blocked again", func() bool { return errors.Is(send("into the alarm"), messaging.ErrUnavailable) })
	closing := awaittest.Within(farewell)
	if err := b.Close(awaittest.Context(t)); err != nil {
		t.Errorf("close while blocked: %v", err)
	}
	if late := closing.Late(); late > farewell {
		t.Errorf("close while blocked returned %s after the farewell's limit of %s", late, farewell)
	}
}

// TestLongAlarmBeforePublish raises a memory alarm before a connection publishes, or while it is idle. RabbitMQ says nothing of it,
// and yet the broker must not be ready, and must send no message that would wait for the end of the alarm.
func TestLongAlarmBeforePublish(t *testing.T) {
	t.Parallel()
	node := lockFaultyNode(t)
	idle := newTestBroker(t, Options{URLs: []string{node.URL()}})
	unready := newTestBroker(t, Options{URLs: []string{node.URL()}})
	q := testQueue(t)
	got := received(t, idle, q)
	if err := idle.Send(awaittest.Context(t), q.Name, messaging.Message{ID: "before"}); err != nil {
		t.Fatal(err)
	}
	receive(t, got)
	raiseMemoryAlarm(t, node)
	isBlocked := func(err error) bool {
		return errors.Is(err, messaging.ErrUnavailable) && strings.Contains(err.Error(), "blocked")
	}
	awaittest.Until(t, "the alarm", func() bool { return isBlocked(unready.Ready()) })
	late, err := New(Options{URLs: []string{node.URL()}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = late.Close(awaittest.Context(t)) })
	awaittest.Until(t, "the late connection", func() bool {
		_, err := late.publishing.session()
		return err == nil
	})
	for name, b := range map[string]*Broker{"idle": idle, "late": late} {
		err := b.Send(awaittest.Context(t), q.Name, messaging.Message{ID: "during"})
		if !isBlocked(err) {
			t.Errorf("send on the %s connection: %v, want that it is blocked", name, err)
		}
		if err := b.Ready(); !isBlocked(err) {
			t.Errorf("ready with the %s connection: %v, want that it is blocked", name, err)
		}
	}
	clearMemoryAlarm(t, node)
	for _, b := range []*Broker{idle, late} {
		awaittest.Until(t, "ready again", func() bool { return b.Ready() == nil })
		if err := b.Send(awaittest.Context(t), q.Name, messaging.Message{ID: "after"}); err != nil {
			t.Fatal(err)
		}
		if id := receive(t, got); id != "after" {
			t.Errorf("got %q, which was refused", id)
		}
	}
}

// TestClosedByBroker has the broker close all connections. They must be reconnected within two seconds.
func TestClosedByBroker(t *testing.T) {
	t.Parallel()
	node := lockFaultyNode(t)
	b := newTestBroker(t, Options{URLs: []string{node.URL()}})
	q := testQueue(t)
	got := received(t, b, q)
	for range 3 {
		s, err := b.consuming.session()
		if err != nil {
			t.Fatal(err)
		}
		ctl(t, node, "close_all_connections", "test")
		<-s.ctx.Done()
		began := time.Now()
		awaittest.Until(t, "ready again", func() bool { return b.Ready() == nil })
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("ready again after %s, want at most 2 s", took)
		}
		if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: "x"}); err != nil {
			t.Fatal(err)
		}
		receive(t, got)
	}
}

// TestLongNodeKilled kills the node and starts it again. Durable queues and persistent messages must be there, and the
// subscription must be live again.
func TestLongNodeKilled(t *testing.T) {
	t.Parallel()
	node := lockFaultyNode(t)
	b := newTestBroker(t, Options{URLs: []string{node.URL()}})
	q := testQueue(t)
	kept := messaging.Queue{Name: "kept", Durable: true}
	if err := b.Ensure(awaittest.Context(t), kept); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(awaittest.Context(t), kept.Name, messaging.Message{ID: "persistent", Persistent: true}); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	handler := func(_ context.Context, m messaging.Message) error {
		got <- m.ID
		return nil
	}
	if _, err := b.Subscribe(awaittest.Context(t), q, handler); err != nil {
		t.Fatal(err)
	}
	node.Kill()
	awaittest.Until(t, "noticed", func() bool { return b.Ready() != nil })
	if err := b.Send(awaittest.Context(t), q.Name, messaging.Message{}); !errors.Is(err, messaging.ErrUnavailable) {
		t.Errorf("send to a dead broker: %v, want ErrUnavailable", err)
	}
	if err := node.Restart(context.Background()); err != nil { // bounds itself
		t.Fatal(err)
	}
	awaittest.Until(t, "ready again", func() bool { return b.Ready() == nil })
	if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: "to the old subscription"}); err != nil {
		t.Fatal(err)
	}
	if id := receive(t, got); id != "to the old subscription" {
		t.Errorf("got %q", id)
	}
	if _, err := b.Subscribe(awaittest.Context(t), kept, handler); err != nil {
		t.Fatal(err)
	}
	if id := receive(t, got); id != "persistent" {
		t.Errorf("got %q", id)
	}
}

// TestBlackHole holds up all bytes without closing the connections. The loss must be noticed within two heartbeats, and no
// publisher may hang.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	p := rabbitmqtest.StartProxy(t, hostOf(t, testURL))
	const heartbeat = 2 * time.Second
	b := newTestBroker(t, Options{URLs: []string{p.URL(t, testURL)}, Heartbeat: heartbeat})
	q := testQueue(t)
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
	p.Swallow()
	began, noticing := time.Now(), awaittest.Within(2*heartbeat)
	// The body is larger than what the kernel buffers, so that writes block.
	body := make([]byte, 1<<20)
	const timeout, tolerated = 500 * time.Millisecond, 1500 * time.Millisecond
	var publishers sync.WaitGroup
	for range 16 {
		publishers.Go(func() {
			for time.Since(began) < 4*heartbeat {
				ctx, cancel := context.WithTimeout(context.Background(), timeout)
				deadline := awaittest.Within(timeout)
				err := b.Send(ctx, q.Name, messaging.Message{Body: body})
				cancel()
				if late := deadline.Late(); late > tolerated {
					t.Errorf("send with a time-out of %s returned %s after it", timeout, late)
				}
				if errors.Is(err, messaging.ErrUnavailable) {
					return
				}
			}
			t.Error("no publisher error although the broker is away")
		})
	}
	awaittest.Until(t, "noticed", func() bool { return b.Ready() != nil })
	if late := noticing.Late(); late > time.Second {
		t.Errorf("noticed %s after two heartbeats of %s", late, heartbeat)
	}
	publishers.Wait()
	p.Pass()
	awaittest.Until(t, "ready again", func() bool { return b.Ready() == nil })
}

// TestIdleBlackHole writes nothing, so that the read deadline alone must notice the loss.
func TestIdleBlackHole(t *testing.T) {
	t.Parallel()
	p := rabbitmqtest.StartProxy(t, hostOf(t, testURL))
	const heartbeat = 2 * time.Second // the AMQP library waits for three
	b := newTestBroker(t, Options{URLs: []string{p.URL(t, testURL)}, Heartbeat: heartbeat, WriteTimeout: time.Minute})
	p.Swallow()
	noticing := awaittest.Within(2 * heartbeat)
	awaittest.Until(t, "noticed", func() bool { return b.Ready() != nil })
	if late := noticing.Late(); late > time.Second {
		t.Errorf("noticed %s after two heartbeats of %s", late, heartbeat)
	}
	p.Pass()
	awaittest.Until(t, "ready again", func() bool { return b.Ready() == nil })
}

// TestBrokerStopsReading has a peer that still sends, so that the write deadline alone must notice the loss.
func TestBrokerStopsReading(t *testing.T) {
	t.Parallel()
	p := rabbitmqtest.StartProxy(t, hostOf(t, testURL))
	b := newTestBroker(t, Options{URLs: []string{p.URL(t, testURL)}, Heartbeat: time.Minute, WriteTimeout: time.Second})
	q := testQueue(t)
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
	p.SwallowRequests()
	began := time.Now()
	body := make([]byte, firstProbe) // larger ones wait for a probe, which may fit the buffers of the network
	awaittest.Until(t, "ErrUnavailable", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		return errors.Is(b.Send(ctx, q.Name, messaging.Message{Body: body}), messaging.ErrUnavailable)
	})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("ErrUnavailable after %s, with a write time-out of 1 s", took)
	}
	p.Pass()
	awaittest.Until(t, "ready again", func() bool { return b.Ready() == nil })
}

// TestRedialsTheNodeThatResponded has a silent first node. Its time-out must cost time once, and not at each redial.
func TestRedialsTheNodeThatResponded(t *testing.T) {
	t.Parallel()
	silent := rabbitmqtest.StartProxy(t, hostOf(t, testURL))
	silent.Swallow()
	b := newTestBroker(t, Options{URLs: []string{silent.URL(t, testURL), testURL}, DialTimeout: time.Second})
	dialed := len(silent.Sent())
	if dialed == 0 {
		t.Fatal("the first node was not tried")
	}
	cut(t, b.publishing)
	cut(t, b.consuming)
	if now := len(silent.Sent()); now != dialed {
		t.Errorf("the silent node was dialed again: %d bytes were sent to it, then %d", dialed, now)
	}
}

// TestCloseWhileDialing checks that a peer that accepts the connection and sends nothing does not delay Close.
func TestCloseWhileDialing(t *testing.T) {
	t.Parallel()
	p := rabbitmqtest.StartProxy(t, hostOf(t, testURL))
	p.Swallow()
	b, err := New(Options{URLs: []string{p.URL(t, testURL)}, DialTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	awaittest.Until(t, "dialed", func() bool { return len(p.Sent()) > 0 })
	closing := awaittest.Within(0)
	if err := b.Close(awaittest.Context(t)); err != nil {
		t.Error(err)
	}
	if took := closing.Late(); took > 2*time.Second {
		t.Errorf("close took %s", took)
	}
}
