// Package messagingtest is the contract of messaging.Broker as a test suite. Every adapter runs it:
//
//	func TestContract(t *testing.T) {
//		messagingtest.Run(t, func(t *testing.T) messaging.Broker { return connect(t, url) }, messagingtest.Options{})
//	}
//
// It waits for events, never for time to pass, except where a message or a queue has to expire. That something does not
// happen is shown by what comes after it: a message published later arrives, and the other has not.
package messagingtest

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging"
)

// patience bounds each test. Only a test that fails takes that long.
const patience = 30 * time.Second

// Connect returns a new connection to the broker under test: every call another connection, always the same broker.
// It fails t if it can't. The suite closes the connection.
type Connect func(t *testing.T) messaging.Broker

// Options are what the suite can't know of an adapter.
type Options struct {
	// User is the UserID of the messages that the connections send.
	User string
	// Interrupt breaks what connects b to the broker, and returns once b can't be reached or has been again. b connects
	// again by itself.
	Interrupt func(t *testing.T, b messaging.Broker)
	// QueueType is the type of the queues that the tests use. The zero value is Classic. Tests of what quorum queues
	// don't have (auto-delete, exclusive beside other consumers) use classic ones always.
	QueueType messaging.QueueType
}

// Run runs the suite, one subtest after the other. The queues have unique names and expire after a minute, so it may
// use a broker that others use too.
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

		{"Redelivery", testRedelivery},
		{"RedeliveryWithoutLimit", testRedeliveryWithoutLimit},
		{"DeliveryLimit", testDeliveryLimit},
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
		{"ExclusiveFirst", testExclusiveFirst},
		{"ExclusiveSecond", testExclusiveSecond},
		{"ExclusiveDrained", testExclusiveDrained},

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
