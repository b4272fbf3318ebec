package dead

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/rpc/protocol"
)

// deadMessage is a message in a dead-letter queue.
type deadMessage struct {
	id      string // the user's name for it
	message messaging.Message
	death   deadletter.Death
	size    int // of the body, in bytes
}

func newDeadMessage(m messaging.Message) deadMessage {
	return deadMessage{
		id:      printable(cmp.Or(m.ID, m.CorrelationID, digest(m.Body)), ""),
		message: m,
		death:   deadletter.DeathOf(m),
		size:    len(m.Body),
	}
}

// digest returns an id for a message that has none.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf("sha256-%x", sum[:6])
}

// withoutBody drops the body, to save memory in long lists.
func (l deadMessage) withoutBody() deadMessage {
	l.message.Body = nil
	return l
}

// request returns the subject and the HTTP request of a remote procedure call, or "" where they are unknown.
func (l deadMessage) request() (subject, request string) {
	r, err := protocol.DecodeRequest(l.death.Queue, l.message)
	if err != nil || !protocol.IsRequest(l.message) {
		return "", ""
	}
	if r.Identity != nil {
		subject = r.Identity.Subject
	}
	return subject, strings.TrimSpace(r.Method + " " + r.Path)
}
