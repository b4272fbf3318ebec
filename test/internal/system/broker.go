package system

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// Connect connects to the broker with a service's user, as the service does, or an attacker who stole its password.
func (s *Suite) Connect(t *testing.T, user string) messaging.Broker {
	t.Helper()
	b := s.dial(t, user)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close the connection of %s: %v", user, err)
		}
	})
	return b
}

// dial is Connect for a connection that the caller closes.
func (s *Suite) dial(t *testing.T, user string) messaging.Broker {
	t.Helper()
	b, err := rabbitmq.New(rabbitmq.Options{
		URLs: []string{s.BrokerURL(user)}, Name: t.Name(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	awaittest.Success(t, user+" connected", func(context.Context) error { return b.Ready() })
	return b
}

// DialRaw connects as Connect does, for messages that the AMQP library would refuse to send. The caller closes the connection.
func (s *Suite) DialRaw(t *testing.T, user string) *rabbitmqtest.Raw {
	t.Helper()
	raw, err := rabbitmqtest.DialRaw(t.Context(), s.BrokerURL(user))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Consume handles the messages of a durable queue one at a time.
func Consume(t *testing.T, b messaging.Broker, queue string, h messaging.Handler) messaging.Subscription {
	t.Helper()
	s, err := b.Subscribe(t.Context(), messaging.Queue{Name: queue, Durable: true}, h, messaging.WithPrefetch(1))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Receive consumes n messages of a queue.
func Receive(t *testing.T, b messaging.Broker, queue string, n int) []messaging.Message {
	t.Helper()
	received := make(chan messaging.Message, 100)
	s := Consume(t, b, queue, func(_ context.Context, m messaging.Message) error {
		received <- m
		return nil
	})
	messages := make([]messaging.Message, n)
	for i := range messages {
		messages[i] = awaittest.Receive(t, received, "a message of "+queue)
	}
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	return messages
}

// CrashConsumer consumes a message of a queue and closes the connection while handling it, as a process does that crashes.
func (s *Suite) CrashConsumer(t *testing.T, user, queue string) {
	t.Helper()
	b := s.dial(t, user)
	taken := make(chan messaging.Message)
	Consume(t, b, queue, func(ctx context.Context, m messaging.Message) error {
		taken <- m
		<-ctx.Done()
		return ctx.Err()
	})
	awaittest.Receive(t, taken, "a message of "+queue)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
