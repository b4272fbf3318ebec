package driver_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

func TestResolveSubscribeOptions(t *testing.T) {
	for name, test := range map[string]struct {
		options []messaging.SubscribeOption
		want    driver.SubscribeOptions
	}{
		"defaults": {nil, driver.SubscribeOptions{Prefetch: 50, Concurrency: 1, FirstRetry: time.Second, LastRetry: 30 * time.Second}},
		"all": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(7), messaging.WithConcurrency(3), messaging.WithExclusive(),
				messaging.WithRetryDelay(1, 2)},
			driver.SubscribeOptions{Prefetch: 7, Concurrency: 3, Exclusive: true, FirstRetry: 1, LastRetry: 2},
		},
		"prefetch below concurrency": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(2), messaging.WithConcurrency(100)},
			driver.SubscribeOptions{Prefetch: 100, Concurrency: 100, FirstRetry: time.Second, LastRetry: 30 * time.Second},
		},
		"too small": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(-1), messaging.WithConcurrency(0)},
			driver.SubscribeOptions{Prefetch: 1, Concurrency: 1, FirstRetry: time.Second, LastRetry: 30 * time.Second},
		},
		"too large": {
			[]messaging.SubscribeOption{messaging.WithPrefetch(1 << 20)},
			driver.SubscribeOptions{Prefetch: 1<<16 - 1, Concurrency: 1, FirstRetry: time.Second, LastRetry: 30 * time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, driver.ResolveSubscribeOptions(test.options...)); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetryDelay(t *testing.T) {
	const first, last = time.Second, 30 * time.Second
	for name, test := range map[string]struct {
		first, last time.Duration
		deliveries  int64
		want        time.Duration
	}{
		"after the first delivery": {first, last, 1, time.Second},
		"after the second":         {first, last, 2, 2 * time.Second},
		"after the fifth":          {first, last, 5, 16 * time.Second},
		"at most last":             {first, last, 6, last},
		"after very many":          {first, last, 1 << 40, last},
		"none":                     {0, 0, 3, 0},
		"none at first":            {0, last, 1 << 40, last},
		"first above last":         {time.Minute, time.Second, 1, time.Second},
	} {
		o := driver.SubscribeOptions{FirstRetry: test.first, LastRetry: test.last}
		if got := driver.RetryDelay(o, test.deliveries); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
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
