package messaging

import (
	"maps"
	"time"
)

// Headers of a message in a dead-letter queue.
const (
	DeadLetterQueueHeader  = "dead-letter-queue"  // the queue it was in
	DeadLetterReasonHeader = "dead-letter-reason" // DeadLetterRejected or DeadLetterLimit
	DeadLetterTimeHeader   = "dead-letter-time"   // when it was given up on
)

// Why messages are dead-lettered.
const (
	DeadLetterRejected = "rejected"       // its handler asked for it, see Reject
	DeadLetterLimit    = "delivery-limit" // it was delivered too often, see Queue.DeliveryLimit
)

// DeadLetter returns m as adapters put it into a dead-letter queue: with the headers above, and kept until somebody
// looks at it.
func DeadLetter(m Message, queue, reason string, now time.Time) Message {
	headers := maps.Clone(m.Headers)
	if headers == nil {
		headers = map[string]any{}
	}
	headers[DeadLetterQueueHeader] = queue
	headers[DeadLetterReasonHeader] = reason
	headers[DeadLetterTimeHeader] = now
	m.Headers = headers
	m.TTL = 0
	m.Persistent = true
	return m
}
