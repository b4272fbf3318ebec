package protocol

import (
	"maps"

	"example.com/warren/pkg/messaging"
)

// Replay returns the message that makes a service handle a dead-lettered request once more. The caller no longer waits, so
// the message has neither a deadline nor a queue to reply to. It keeps the correlation ID, which makes a request idempotent,
// and the identity that the gateway had checked, even if its token has expired since.
//
// If m is no request, Replay only revives it; see [messaging.Revive].
func Replay(m messaging.Message) messaging.Message {
	m = messaging.Revive(m)
	if !IsRequest(m) {
		return m
	}
	m.Headers = maps.Clone(m.Headers)
	delete(m.Headers, headerDeadline)
	m.TTL = 0
	m.ReplyTo = ""
	return m
}
