// Package messagingtest is the contract of messaging.Broker and deadletter.Browser as test suites. Every adapter runs them:
//
//	func TestContract(t *testing.T) {
//		messagingtest.Run(t, func(t *testing.T) messaging.Broker { return connect(t, url) }, messagingtest.Options{})
//	}
//
// The suites await events and never sleep, except where a message or a queue must expire. To show that a message does not
// arrive, a test publishes another one, a marker, and receives that.
package messagingtest

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging"
)

// patience bounds each test. Only failing tests take that long.
const patience = 30 * time.Second

// Connect returns a new connection to the broker under test. Each call returns another connection to the same broker. Connect
// fails t if it can't connect. The suite closes the connection.
type Connect func(t *testing.T) messaging.Broker

// Options describe an adapter to the suites.
type Options struct {
	// User is the UserID of the messages that the connections send.
	User string
	// Interrupt breaks the connection of b to the broker, and returns once b has noticed. b reconnects without help.
	Interrupt func(t *testing.T, b messaging.Broker)
	// QueueType is the type of the queues that the tests use. The zero value means Classic. Tests of features that quorum
	// queues lack (auto-delete, exclusive consumers) use classic queues in any case.
	QueueType messaging.QueueType
}

// Run runs the contract of messaging.Broker, one subtest after the other. The queues have unique names and expire after a
// minute, so the broker may be shared.
func Run(t *testing.T, connect Connect, options Options) {
	for _, test := range []struct {
		name string
		run  func(*tester)
	}{
		{"RoundTrip", testRoundTrip},
		{"HeaderTypes", testHeaderTypes},
		{"LargestHeaders", testLargestHeaders},
		{"Bodies", testBodies},
		{"NothingShared", testNothingShared},
		{"UserID", testUserID},

		{"Order", testOrder},
		{"CompetingConsumers", testCompetingConsumers},
		{"Prefetch", testPrefetch},
		{"Concurrency", testConcurrency},
		{"SubscribeContextEnds", testSubscribeContextEnds},
		{"Await", testAwait},

		{"Redelivery", testRedelivery},
		{"RedeliveryWithoutLimit", testRedeliveryWithoutLimit},
		{"RedeliveryWithoutHeaders", testRedeliveryWithoutHeaders},
		{"RetryDelay", testRetryDelay},
		{"RetryDelayOthers", testRetryDelayOthers},
		{"RetryMany", testRetryMany},
		{"DeliveryLimit", testDeliveryLimit},
		{"DeliveryLimitAfterLoss", testDeliveryLimitAfterLoss},
		{"DeliveryLimitWithoutDeadLetter", testDeliveryLimitWithoutDeadLetter},
		{"DeadLetterOfConsumer", testDeadLetterOfConsumer},
		{"Reject", testReject},
		{"RejectWithoutDeadLetter", testRejectWithoutDeadLetter},
		{"DeadLetterLargestHeaders", testDeadLetterLargestHeaders},
		{"DeadLetterWithoutTTL", testDeadLetterWithoutTTL},
		{"TTL", testTTL},

		{"PublishUnroutable", testPublishUnroutable},
		{"PublishSameID", testPublishSameID},
		{"SendUnroutable", testSendUnroutable},
		{"OnReturnStop", testOnReturnStop},
		{"OnLoss", testOnLoss},

		{"QueueOutlivesConsumers", testQueueOutlivesConsumers},
		{"EnsureExisting", testEnsureExisting},
		{"AutoDelete", testAutoDelete},
		{"Expiry", testExpiry},
		{"QueueGone", testQueueGone},
		{"Inspect", testInspect},
		{"ExclusiveFirst", testExclusiveFirst},
		{"ExclusiveSecond", testExclusiveSecond},
		{"ExclusiveDrained", testExclusiveDrained},
		{"ExclusiveAfterLoss", testExclusiveAfterLoss},

		{"Invalid", testInvalid},
		{"CancelledContext", testCancelledContext},

		{"Drain", testDrain},
		{"DrainTwice", testDrainTwice},
		{"DrainContextEnds", testDrainContextEnds},
		{"Close", testClose},
		{"CloseContextEnds", testCloseContextEnds},
		{"CloseWhilePublishing", testCloseWhilePublishing},
		{"Closed", testClosed},

		{"ManyPublishers", testManyPublishers},
		{"ManySenders", testManySenders},
		{"DeclareWhileSending", testDeclareWhileSending},
	} {
		t.Run(test.name, func(t *testing.T) {
			others := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, others) }) // runs last, after the connections are closed
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			test.run(&tester{T: t, ctx: ctx, dial: connect, options: options})
		})
	}
}
