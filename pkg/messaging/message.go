package messaging

import "time"

// Limits of messages and queues. Adapters reject whatever exceeds them: RabbitMQ would close the connection or the channel,
// which all callers share.
const (
	// MaxHeaderNameBytes bounds the name of a header, the name of a queue, and the short strings of a message such as ID.
	MaxHeaderNameBytes = 255
	// MaxLifetime bounds a message's TTL and a queue's Expiry.
	MaxLifetime = 10 * 365 * 24 * time.Hour
	// MaxHeadersBytes bounds the headers of a message in AMQP's encoding. They must fit one frame, which has 128 KiB by default.
	MaxHeadersBytes = 112 << 10
	// MaxBodyBytes bounds a body. It is the default limit of RabbitMQ 4.
	MaxBodyBytes = 16 << 20
)

// Message is what queues carry.
type Message struct {
	ID              string // unique; the sender chooses it
	Type            string // what the message is, such as "order.placed"
	AppID           string // the sending service
	ContentType     string
	ContentEncoding string
	CorrelationID   string // of a reply: the ID of its request
	ReplyTo         string // the queue that replies go to
	// UserID is the user who sent the message. The broker verifies it; a sender cannot set it. It is "" if unknown. The
	// consumer becomes the sender of messages that it dead-letters, and of those that a classic queue with a delivery limit
	// delivers again.
	UserID string

	// Headers hold values of these types only: nil, string, bool, integers, finite floats, time.Time, []byte, []any and
	// map[string]any. In delivered messages integers are int64, floats float64, and times UTC, cut to the second. The names CC,
	// BCC, x-delivery-count, x-acquired-count and x-classic-delivery-count are reserved for the broker; delivered messages do
	// not have them.
	Headers map[string]any
	Body    []byte

	Timestamp  time.Time     // when the message was created; carried to the second
	TTL        time.Duration // the broker drops an undelivered message after it; 0: never; carried to the millisecond
	Persistent bool          // survives a restart of the broker, in a durable queue
}
