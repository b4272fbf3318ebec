package messaging

import "time"

// QueueType is how a broker stores a queue.
type QueueType string

// Queue types. The zero value means Classic.
const (
	Classic QueueType = "classic" // on one node
	Quorum  QueueType = "quorum"  // replicated by consensus: survives the loss of a node, costs about 40 % of the throughput
)

// Queue describes a queue. The name identifies it: an existing queue with other settings is used as it is.
type Queue struct {
	Name       string
	Durable    bool          // survives a restart of the broker; required, since RabbitMQ 4.3 refuses shared queues without it
	AutoDelete bool          // deleted when its last consumer leaves; classic queues only
	Expiry     time.Duration // a queue without consumers is deleted after it; 0: never
	Type       QueueType

	// DeadLetter names the durable queue that takes the messages that a handler rejects with Reject, and those delivered
	// DeliveryLimit times without success. If it is "", these messages are dropped. Messages that outlive their TTL are
	// always dropped. DeadLetter is a setting of the subscription: other users of the queue need not know it.
	DeadLetter string
	// DeliveryLimit bounds how often a message is delivered; 0: no limit. A message that was sent to a consumer counts as
	// delivered, even if the consumer was lost before its handler ran, so with a limit the prefetch should not exceed the
	// concurrency. A classic queue delivers such a message again after all others, and its TTL starts anew. DeliveryLimit is a
	// setting of the subscription, like DeadLetter.
	DeliveryLimit int
}
