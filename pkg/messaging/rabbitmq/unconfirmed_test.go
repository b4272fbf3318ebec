package rabbitmq

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// TestUnconfirmed publishes to a broker that reads nothing. Whatever ends the wait for the confirm, the error says that
// the message may have been taken.
func TestUnconfirmed(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(t *testing.T, b *Broker, cancel context.CancelFunc)
		also error
	}{
		"context ends":    {func(_ *testing.T, _ *Broker, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"connection lost": {func(t *testing.T, b *Broker, _ context.CancelFunc) { closeSocket(t, b.publishing) }, nil},
		"broker closed":   {closeAtOnce, messaging.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := rabbitmqtest.StartProxy(t, hostOf(t, testURL))
			b, err := New(Options{URLs: []string{p.URL(t, testURL)}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = b.Close(awaittest.Context(t)) }() // one of the cases has cut it short
			awaitReady(t, b)
			q := testQueue(t)
			if err := b.Ensure(awaittest.Context(t), q); err != nil {
				t.Fatal(err)
			}
			s, err := b.publishing.session()
			if err != nil {
				t.Fatal(err)
			}
			s.prober.due.Store(math.MaxInt64) // the proxy would hold up a probe instead of the message
			p.Swallow()
			ctx, cancel := context.WithCancel(awaittest.Context(t))
			defer cancel()
			published, body := make(chan error, 1), []byte("the body of the message")
			go func() { published <- b.Publish(ctx, q.Name, messaging.Message{Body: body}) }()
			awaittest.Until(t, "the message to be handed over", func() bool { return bytes.Contains(p.Sent(), body) })

			test.end(t, b, cancel)
			err = awaittest.Receive(t, published, "Publish")
			if !errors.Is(err, messaging.ErrUnconfirmed) || errors.Is(err, messaging.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnconfirmed and not ErrUnavailable", err)
			}
			if test.also != nil && !errors.Is(err, test.also) {
				t.Errorf("got %v, want %v too", err, test.also)
			}
			p.Pass()
		})
	}
}

func closeSocket(t *testing.T, c *connection) {
	t.Helper()
	s, err := c.session()
	if err != nil {
		t.Fatal(err)
	}
	_ = s.socket.Conn.Close()
}

// closeAtOnce closes b without the time to wait for the confirm.
func closeAtOnce(t *testing.T, b *Broker, _ context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v, want that its time ran out", err)
	}
}
