package rabbitmq

import (
	"context"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

func TestLookInterval(t *testing.T) {
	tests := []struct {
		subscriptions int
		want          time.Duration
	}{{0, time.Second}, {50, time.Second}, {100, 2 * time.Second}, {1000, 20 * time.Second}}
	for _, test := range tests {
		b := &Broker{subscriptions: map[*subscription]struct{}{}}
		for range test.subscriptions {
			b.subscriptions[&subscription{}] = struct{}{}
		}
		if got := b.lookInterval(); got != test.want {
			t.Errorf("%d subscriptions: each looks every %s, want %s", test.subscriptions, got, test.want)
		}
	}
}

// TestSubscriptionSurvivesManyDeletedQueues repeatedly deletes a queue that is in use while it is being declared again.
// RabbitMQ 3.10.8 forgot about one in a hundred consumers.
func TestSubscriptionSurvivesManyDeletedQueues(t *testing.T) {
	t.Parallel()
	consuming, publishing := newTestBroker(t, Options{}), newTestBroker(t, Options{})
	q := testQueue(t)
	received := make(chan struct{}, 1)
	if _, err := consuming.Subscribe(awaittest.Context(t), q, func(context.Context, messaging.Message) error {
		signal(received)
		return nil
	}, messaging.WithConcurrency(8)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for range 4 {
		running.Go(func() {
			for ctx.Err() == nil {
				_ = publishing.Ensure(ctx, q) // the sends show whether the queue exists
				_ = publishing.Send(ctx, q.Name, messaging.Message{})
				sleep(ctx, time.Millisecond)
			}
		})
	}
	const deletions, enough = 25, 5
	for range deletions {
		deleteQueue(t, publishing, q.Name)
		for range enough {
			receive(t, received)
		}
	}
}
