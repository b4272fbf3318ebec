package messaging

import (
	"fmt"
	"strings"
	"time"
)

// QueueType is how a broker keeps a queue.
type QueueType string

// The queue types. The zero value is Classic.
const (
	Classic QueueType = "classic" // on one node
	Quorum  QueueType = "quorum"  // replicated by consensus; survives the loss of a node, costs about 40 % of the throughput
)

// Queue describes a queue. Its name identifies it: a queue that exists with other settings is taken as it is.
type Queue struct {
	Name       string
	Durable    bool          // survives a restart of the broker
	AutoDelete bool          // goes when its last consumer goes
	Expiry     time.Duration // 0: none. Past it, a queue without consumers is deleted
	Type       QueueType

	// DeadLetter and DeliveryLimit are the consumer's: they hold for the subscription that names them, whoever declared
	// the queue.

	// DeadLetter names the durable queue that takes the messages given up on: those whose handler asked for it with
	// Reject, and those delivered more than DeliveryLimit times. Without it they are dropped. Messages that outlive
	// their TTL are always dropped.
	DeadLetter string
	// DeliveryLimit is how often a message may be delivered before it is given up on. 0: no limit. A message counts as
	// delivered when it is sent to a consumer that is then lost, even if no handler has seen it: with a limit, the prefetch
	// should not exceed the concurrency. On a classic queue, a message that is delivered again goes to the end of the
	// queue, and its TTL begins anew.
	DeliveryLimit int
}

// Validate reports why q can't be declared, as an error that wraps ErrInvalidQueue.
func (q Queue) Validate() error {
	switch {
	case q.Name == "":
		return fmt.Errorf("%w: no name", ErrInvalidQueue)
	case len(q.Name) > MaxHeaderNameBytes:
		return fmt.Errorf("%w: a name of %d bytes, %d are allowed", ErrInvalidQueue, len(q.Name), MaxHeaderNameBytes)
	case !q.Durable:
		// RabbitMQ 4.3 refuses queues that are neither durable nor exclusive to a connection.
		return fmt.Errorf("%w: %s is not durable", ErrInvalidQueue, q.Name)
	case q.Type != "" && q.Type != Classic && q.Type != Quorum:
		return fmt.Errorf("%w: %s has the unknown type %q", ErrInvalidQueue, q.Name, q.Type)
	case q.Type == Quorum && q.AutoDelete:
		return fmt.Errorf("%w: %s is a quorum queue and can't be auto-delete", ErrInvalidQueue, q.Name)
	case strings.HasPrefix(q.Name, "amq."):
		return fmt.Errorf("%w: %s has the prefix amq., which is the broker's own", ErrInvalidQueue, q.Name)
	case q.Expiry < 0 || q.Expiry > MaxLifetime:
		return fmt.Errorf("%w: %s has the expiry %s, not between 0 and %s", ErrInvalidQueue, q.Name, q.Expiry, MaxLifetime)
	case q.DeliveryLimit < 0:
		return fmt.Errorf("%w: %s has the negative delivery limit %d", ErrInvalidQueue, q.Name, q.DeliveryLimit)
	}
	return nil
}
