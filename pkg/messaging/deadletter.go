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

// Death is what DeadLetter has noted on a message.
type Death struct {
	Queue  string    // the queue it was in
	Reason string    // why it was given up on
	Time   time.Time // when
}

// DeathOf returns what DeadLetter has noted on m, as far as it is there: a dead-letter queue may hold other messages too.
func DeathOf(m Message) Death {
	var d Death
	d.Queue, _ = m.Headers[DeadLetterQueueHeader].(string)
	d.Reason, _ = m.Headers[DeadLetterReasonHeader].(string)
	d.Time, _ = m.Headers[DeadLetterTimeHeader].(time.Time)
	return d
}

// Revive returns a dead letter as it was in its queue, without the headers above. Its TTL is not known any more.
func Revive(m Message) Message {
	m.Headers = maps.Clone(m.Headers)
	for _, name := range [...]string{DeadLetterQueueHeader, DeadLetterReasonHeader, DeadLetterTimeHeader} {
		delete(m.Headers, name)
	}
	if len(m.Headers) == 0 {
		m.Headers = nil
	}
	return m
}
