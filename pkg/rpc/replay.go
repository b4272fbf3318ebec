package rpc

import (
	"maps"

	"example.com/warren/pkg/messaging"
)

// Replay returns the message that has a dead-lettered request handled once more. Its caller is long gone: nothing limits
// the time that handling takes, and nobody is answered. All else stays, the correlation id too, so that what makes a
// request idempotent still holds; its identity is what the gateway checked then, even if the token has expired since.
//
// A message that is no request of this package's is only revived, see messaging.Revive.
func Replay(m messaging.Message) messaging.Message {
	m = messaging.Revive(m)
	if !isRequest(m) {
		return m
	}
	m.Headers = maps.Clone(m.Headers)
	delete(m.Headers, headerDeadline)
	m.TTL = 0
	m.ReplyTo = ""
	return m
}

// DecodeRequest reads the request out of a message that was in queue, for tools that look into queues. ok is false if it
// is another message, or malformed.
func DecodeRequest(queue string, m messaging.Message) (r *Request, ok bool) {
	if !isRequest(m) {
		return nil, false
	}
	r, err := decodeRequest(queue, m)
	return r, err == nil
}

// isRequest tells requests from the messages of others. A plain caller's, without a type, can't be told.
func isRequest(m messaging.Message) bool { return m.Type == typeRequest }
