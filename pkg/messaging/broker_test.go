package messaging_test

import (
	"errors"
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
			[]messaging.SubscribeOption{messaging.Prefetch(7), messaging.Concurrency(3), messaging.Exclusive()},
			messaging.SubscribeOptions{Prefetch: 7, Concurrency: 3, Exclusive: true},
		},
		"prefetch below concurrency": {
			[]messaging.SubscribeOption{messaging.Prefetch(2), messaging.Concurrency(100)},
			messaging.SubscribeOptions{Prefetch: 100, Concurrency: 100},
		},
		"too small": {
			[]messaging.SubscribeOption{messaging.Prefetch(-1), messaging.Concurrency(0)},
			messaging.SubscribeOptions{Prefetch: 1, Concurrency: 1},
		},
		"too large": {
			[]messaging.SubscribeOption{messaging.Prefetch(1 << 20)},
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

func TestSubscribeOptionsValidate(t *testing.T) {
	exclusive := messaging.NewSubscribeOptions(messaging.Exclusive())
	if err := exclusive.Validate(messaging.Queue{Type: messaging.Quorum}); !errors.Is(err, messaging.ErrInvalidQueue) {
		t.Errorf("an exclusive consumer on a quorum queue: %v, want ErrInvalidQueue", err)
	}
	if err := exclusive.Validate(messaging.Queue{}); err != nil {
		t.Errorf("an exclusive consumer on a classic queue: %v", err)
	}
	if err := messaging.NewSubscribeOptions().Validate(messaging.Queue{Type: messaging.Quorum}); err != nil {
		t.Errorf("a consumer on a quorum queue: %v", err)
	}
}
