package rabbitmq

import (
	"testing"
	"time"
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
