package rabbitmq

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// within bounds each wait of these tests, including rabbitmqctl. It is far longer than any wait on a busy machine.
const within = 2 * time.Minute

func newTestBroker(t *testing.T, options Options) *Broker {
	t.Helper()
	if options.URLs == nil {
		options.URLs = []string{testURL}
	}
	options.Name = t.Name()
	options.Logger = slog.New(slog.DiscardHandler)
	b, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	awaitReady(t, b)
	return b
}

func awaitReady(t *testing.T, b *Broker) {
	t.Helper()
	ctx := awaittest.Context(t)
	for _, c := range []*connection{b.publishing, b.consuming} {
		if _, err := c.await(ctx); err != nil {
			t.Fatalf("broker not reached: %v", err)
		}
	}
}

func testQueue(t *testing.T) messaging.Queue {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/", ".") + "." + uuid.NewString()
	// Expiry cleans up on a shared broker.
	return messaging.Queue{Name: name, Durable: true, Expiry: 10 * time.Minute}
}

// received consumes a queue and returns a channel that receives the IDs of its messages.
func received(t *testing.T, b *Broker, q messaging.Queue) <-chan string {
	t.Helper()
	ids := make(chan string, 1000)
	if _, err := b.Subscribe(awaittest.Context(t), q, func(_ context.Context, m messaging.Message) error {
		ids <- m.ID
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

func receivedMessages(t *testing.T, b *Broker, q messaging.Queue) <-chan messaging.Message {
	t.Helper()
	messages := make(chan messaging.Message, 1000)
	if _, err := b.Subscribe(awaittest.Context(t), q, func(_ context.Context, m messaging.Message) error {
		messages <- m
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return messages
}

// rawPublisher returns a function that publishes what the library would not.
func rawPublisher(t *testing.T) func(queue string, properties []byte) {
	t.Helper()
	r, err := rabbitmqtest.DialRaw(t.Context(), testURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return func(queue string, properties []byte) {
		t.Helper()
		if err := r.Publish(queue, properties, []byte("raw")); err != nil {
			t.Fatal(err)
		}
	}
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(within):
		t.Fatalf("nothing received within %s", within)
		panic("unreachable")
	}
}

// cut breaks a connection as a network does, and returns once it is reconnected.
func cut(t *testing.T, c *connection) {
	t.Helper()
	s, err := c.session()
	if err != nil {
		t.Fatal(err)
	}
	_ = s.socket.Conn.Close()
	<-s.ctx.Done()
	ctx := awaittest.Context(t)
	for {
		next, err := c.await(ctx)
		if err != nil {
			t.Fatalf("reconnect: %v", err)
		}
		if next != s {
			return
		}
		select {
		case <-c.changedSince(s):
		case <-ctx.Done():
			t.Fatal("no new connection")
		}
	}
}

// changedSince returns a channel that is closed when s is no longer current.
func (c *connection) changedSince(s *session) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == s {
		return c.changed
	}
	done := make(chan struct{})
	close(done)
	return done
}

func deleteQueue(t *testing.T, b *Broker, name string) {
	t.Helper()
	s, err := b.consuming.session()
	if err != nil {
		t.Fatal(err)
	}
	ch, err := s.amqp.Channel()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ch.Close() }()
	if _, err := ch.QueueDelete(name, false, false, false); err != nil {
		t.Fatal(err)
	}
}
