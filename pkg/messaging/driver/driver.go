// Package driver holds what the adapters of package messaging share and services do not need. Read it to write an adapter.
//
// # Writing an adapter
//
// An adapter implements [messaging.Broker] and, for operators, deadletter.Browser. It calls [ValidateMessage] and
// [ValidateQueue] before it sends or declares, and reads the options of Subscribe with [ResolveSubscribeOptions]. If a handler
// returns an error that [IsRejection] reports, it moves the message to the dead-letter queue. Package messagingtest is the
// contract that it must pass.
//
// # Headers
//
// [messaging.Message] allows many types of header values, and client libraries have their own table types. Adapters
// convert the headers of outgoing and incoming messages with [ConvertHeaders], which walks nested tables and lists, and
// [Widen], which knows the types of single values.
package driver

import (
	"errors"
	"time"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/internal/seam"
)

// SubscribeOptions are the settings of a subscription.
type SubscribeOptions = seam.SubscribeOptions

// defaultPrefetch lets the broker send ahead: a prefetch of 1 costs three quarters of the throughput.
const defaultPrefetch = 50

// maxPrefetch is the largest prefetch that AMQP can express.
const maxPrefetch = 1<<16 - 1

// ResolveSubscribeOptions returns the settings that options ask for. Defaults: a prefetch of 50, one handler at a time, not
// exclusive, retries after 1 s up to 30 s. The prefetch is at least the concurrency, because more handlers could never run.
func ResolveSubscribeOptions(options ...messaging.SubscribeOption) SubscribeOptions {
	o := SubscribeOptions{Prefetch: defaultPrefetch, FirstRetry: time.Second, LastRetry: 30 * time.Second}
	for _, option := range options {
		option(&o)
	}
	o.Concurrency = max(o.Concurrency, 1)
	o.Prefetch = min(max(o.Prefetch, o.Concurrency), maxPrefetch)
	return o
}

// RetryDelay returns how long a message waits for its next delivery, after a number of deliveries without success.
func RetryDelay(o SubscribeOptions, deliveries int64) time.Duration {
	delay := max(o.FirstRetry, time.Millisecond)
	for n := int64(1); n < deliveries && delay < o.LastRetry; n++ {
		delay *= 2
	}
	return min(delay, o.LastRetry)
}

// IsRejection reports whether messaging.Reject marked err as final.
func IsRejection(err error) bool {
	var r seam.Rejection
	return errors.As(err, &r)
}
