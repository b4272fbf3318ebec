package driver_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

func TestResolveSubscribeOptions(t *testing.T) {
	for name, test := range map[string]struct {
		options []messaging.SubscribeOption
		want    driver.SubscribeOptions
	}{
		"defaults": {nil, driver.SubscribeOptions{Prefetch: 50, Concurrency: 1}},
		"all": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(7), messaging.WithConcurrency(3), messaging.WithExclusive()},
			driver.SubscribeOptions{Prefetch: 7, Concurrency: 3, Exclusive: true},
		},
		"prefetch below concurrency": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(2), messaging.WithConcurrency(100)},
			driver.SubscribeOptions{Prefetch: 100, Concurrency: 100},
		},
		"too small": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(-1), messaging.WithConcurrency(0)},
			driver.SubscribeOptions{Prefetch: 1, Concurrency: 1},
		},
		"too large": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(1 << 20)},
			driver.SubscribeOptions{Prefetch: 1<<16 - 1, Concurrency: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, driver.ResolveSubscribeOptions(test.options...)); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIsRejection(t *testing.T) {
	cause := errors.New("cause")
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nil":              {nil, false},
		"other":            {cause, false},
		"rejected":         {messaging.Reject(cause), true},
		"rejected wrapper": {messaging.Reject(fmt.Errorf("handle: %w", cause)), true},
		"wrapped":          {fmt.Errorf("handle: %w", messaging.Reject(cause)), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := driver.IsRejection(test.err); got != test.want {
				t.Errorf("IsRejection(%v) = %t", test.err, got)
			}
			if test.want && !errors.Is(test.err, cause) {
				t.Errorf("error %v has lost its cause", test.err)
			}
		})
	}
}
