package messaging_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
)

func TestNewSubscribeOptions(t *testing.T) {
	for name, test := range map[string]struct {
		options []messaging.SubscribeOption
		want    messaging.SubscribeOptions
	}{
		"defaults": {nil, messaging.SubscribeOptions{Prefetch: messaging.DefaultPrefetch, Concurrency: 1}},
		"all": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(7), messaging.WithConcurrency(3), messaging.WithExclusive()},
			messaging.SubscribeOptions{Prefetch: 7, Concurrency: 3, Exclusive: true},
		},
		"prefetch below concurrency": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(2), messaging.WithConcurrency(100)},
			messaging.SubscribeOptions{Prefetch: 100, Concurrency: 100},
		},
		"too small": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(-1), messaging.WithConcurrency(0)},
			messaging.SubscribeOptions{Prefetch: 1, Concurrency: 1},
		},
		"too large": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(1 << 20)},
			messaging.SubscribeOptions{Prefetch: 1<<16 - 1, Concurrency: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, messaging.NewSubscribeOptions(test.options...)); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}
