// Package deadletter is the port through which operators' tools look into dead-letter queues. Services do not need it: they
// name a dead-letter queue in messaging.Queue, and the adapter of package messaging moves messages there.
//
// # Dead-lettered messages
//
// [Mark] adds headers to a message that say where it came from, why it was given up on, and when. [DeathOf] reads them, and
// [Revive] removes them.
//
// # Browsing
//
// A [Browser] opens a [Cursor] on a queue. The cursor shows the messages from oldest to newest, and removes those that the
// caller has dealt with. The other messages stay in the queue. Both adapters implement Browser, and messagingtest.RunBrowser
// is the contract that they pass.
package deadletter

import (
	"context"
	"errors"
	"maps"
	"time"

	"example.com/warren/pkg/messaging"
)

// Headers of a dead-lettered message.
const (
	QueueHeader  = "dead-letter-queue"  // the queue it was in
	ReasonHeader = "dead-letter-reason" // one of the reasons below
	TimeHeader   = "dead-letter-time"   // when it was given up on
	// NoteHeader says why the message's own headers are missing. Revive keeps it, so that a message that lost its headers is
	// dead-lettered again if it is replayed.
	NoteHeader = "dead-letter-headers-removed"
)

// Reasons why a message was dead-lettered.
const (
	ReasonRejected      = "rejected"       // its handler returned an error marked with messaging.Reject
	ReasonDeliveryLimit = "delivery-limit" // it was delivered too often; see messaging.Queue
	ReasonUndecodable   = "undecodable"    // its headers cannot be decoded or carried; see NoteHeader
)

// Mark returns m as adapters put it into a dead-letter queue: with the headers above, persistent, and without a TTL, so that
// it stays until an operator removes it.
func Mark(m messaging.Message, queue, reason string, now time.Time) messaging.Message {
	headers := maps.Clone(m.Headers)
	if headers == nil {
		headers = map[string]any{}
	}
	headers[QueueHeader] = queue
	headers[ReasonHeader] = reason
	headers[TimeHeader] = now
	m.Headers = headers
	m.TTL = 0
	m.Persistent = true
	return m
}

// Death is what Mark noted on a message.
type Death struct {
	Queue  string // the queue it was in
	Reason string
	Time   time.Time
}

// DeathOf returns what Mark noted on m. Fields are empty where headers are missing: a dead-letter queue may hold messages
// that were published to it directly.
func DeathOf(m messaging.Message) Death {
	var d Death
	d.Queue, _ = m.Headers[QueueHeader].(string)
	d.Reason, _ = m.Headers[ReasonHeader].(string)
	d.Time, _ = m.Headers[TimeHeader].(time.Time)
	return d
}

// Revive returns a dead-lettered message without the headers that Mark added. Its TTL is lost.
func Revive(m messaging.Message) messaging.Message {
	m.Headers = maps.Clone(m.Headers)
	for _, name := range [...]string{QueueHeader, ReasonHeader, TimeHeader} {
		delete(m.Headers, name)
	}
	if len(m.Headers) == 0 {
		m.Headers = nil
	}
	return m
}

// ErrNoQueue means that the queue to browse does not exist.
var ErrNoQueue = errors.New("no such queue")

// Browser looks into queues and takes single messages out of them. It is not safe for concurrent use.
type Browser interface {
	messaging.Publisher
	// Open returns a cursor before the oldest message of a queue. Close it before the next Open. The error wraps ErrNoQueue
	// or messaging.ErrUnavailable.
	Open(ctx context.Context, queue string) (Cursor, error)
	// Close disconnects. Messages that an open cursor has shown go back to their queue.
	Close()
}

// Cursor shows the messages that were in a queue when it was opened, oldest first. It withholds the messages that it has
// shown from consumers until Close, which puts back those that were not removed. If the process ends before that, no message
// is lost.
//
//	for cursor.Next(ctx) {
//		if done(cursor.Message()) {
//			_ = cursor.Remove() // Close returns the error
//		}
//	}
//	err := cursor.Close(ctx)
type Cursor interface {
	// Left returns how many messages Next can still show, unless a consumer takes them first.
	Left() int
	// Next advances to the next message. It returns false at the end and after an error, which Close returns.
	Next(ctx context.Context) bool
	// Message returns the current message.
	Message() messaging.Message
	// Remove takes the current message out of the queue. The removal is certain once Close has returned nil.
	Remove() error
	// Renewed returns how many messages were replaced by copies at the end of the queue, because the broker would soon have
	// dropped them for being delivered too often.
	Renewed() int
	// Close puts back the messages that were not removed, and returns the first error since Open.
	Close(ctx context.Context) error
}
