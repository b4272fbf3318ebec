package e2e

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/test/internal/system"
)

// connectAs connects to the broker with a service's user, as the service does, or an attacker who stole its password.
func connectAs(t *testing.T, user string) messaging.Broker {
	t.Helper()
	b := dialAs(t, user)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), system.Patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close the connection of %s: %v", user, err)
		}
	})
	return b
}

// dialAs is connectAs for a connection that the caller closes.
func dialAs(t *testing.T, user string) messaging.Broker {
	t.Helper()
	b, err := rabbitmq.New(rabbitmq.Options{
		URLs: []string{suite.BrokerURL(user)}, Name: t.Name(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	awaittest.Success(t, user+" connected", func(context.Context) error { return b.Ready() })
	return b
}

// take consumes n messages of a queue.
func take(t *testing.T, b messaging.Broker, queue string, n int) []messaging.Message {
	t.Helper()
	received := make(chan messaging.Message, 100)
	s := consume(t, b, queue, func(_ context.Context, m messaging.Message) error {
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

// crash consumes a message of a queue and closes the connection while handling it, as a process does that crashes.
func crash(t *testing.T, user, queue string) {
	t.Helper()
	b := dialAs(t, user)
	taken := make(chan messaging.Message)
	consume(t, b, queue, func(ctx context.Context, m messaging.Message) error {
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

func consume(t *testing.T, b messaging.Broker, queue string, h messaging.Handler) messaging.Subscription {
	t.Helper()
	s, err := b.Subscribe(t.Context(), messaging.Queue{Name: queue, Durable: true}, h, messaging.WithPrefetch(1))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
