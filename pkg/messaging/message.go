package messaging

import (
	"fmt"
	"math"
	"time"
)

// Limits of a message. One that exceeds them would make RabbitMQ close the connection that all callers share, so
// it is refused before it is sent.
const (
	// MaxHeaderNameBytes bounds one header's name, and each of the short strings (ID, Type, …).
	MaxHeaderNameBytes = 255
	// MaxLifetime bounds TTL and a queue's Expiry: RabbitMQ refuses more, and closes the channel over it.
	MaxLifetime = 10 * 365 * 24 * time.Hour
	// MaxHeadersBytes bounds all headers of a message together, as Headers encoded in a message: see headersSize.
	MaxHeadersBytes = 16 << 10
	// MaxBodyBytes bounds a body. RabbitMQ 4 refuses more by default, and closes the channel over it.
	MaxBodyBytes = 16 << 20
	// maxHeaderDepth bounds nesting, so that a value that contains itself is an error and not a stack overflow.
	maxHeaderDepth = 8
)

// reservedHeaders are those by which RabbitMQ sends copies to other queues, and those that count deliveries. In a table
// within a header they are plain data.
var reservedHeaders = [...]string{"CC", "BCC", "x-delivery-count", "x-classic-delivery-count"}

// Message is what queues carry. Its fields are data to the broker: nothing in them chooses a queue.
type Message struct {
	ID              string // unique, made by the sender
	Type            string // what the message is, e.g. "rpc.request"
	AppID           string // the sending service
	ContentType     string
	ContentEncoding string
	CorrelationID   string // joins a reply to its request
	ReplyTo         string // the queue that replies go to
	// UserID is who sent it, as the broker vouches: set on the way, whatever the sender puts here; "" if unknown. Of a
	// message that was dead-lettered, or delivered again by a classic queue with a delivery limit, it is the consumer.
	UserID string

	// Headers hold nil, strings, bools, integers, floats, times, []byte, []any and nested map[string]any only. A
	// message that crosses a network comes back with its integers as int64, its floats as float64, and its times in
	// UTC, cut to the second.
	Headers map[string]any
	Body    []byte

	Timestamp  time.Time     // when it was made; carried to the second
	TTL        time.Duration // 0: none. Past it, an undelivered message is dropped by the broker; carried to the millisecond
	Persistent bool          // survives a restart of the broker, in a durable queue
}

// Validate reports, as an error that wraps ErrInvalidMessage, why m can't be carried.
func (m Message) Validate() error {
	for _, s := range [...]struct{ name, value string }{
		{"id", m.ID}, {"type", m.Type}, {"app id", m.AppID}, {"content type", m.ContentType},
		{"content encoding", m.ContentEncoding}, {"correlation id", m.CorrelationID}, {"reply to", m.ReplyTo},
	} {
		if len(s.value) > MaxHeaderNameBytes {
			return fmt.Errorf("%w: %s has %d bytes, %d are allowed", ErrInvalidMessage, s.name, len(s.value), MaxHeaderNameBytes)
		}
	}
	if m.TTL < 0 || m.TTL > MaxLifetime {
		return fmt.Errorf("%w: TTL %s is not between 0 and %s", ErrInvalidMessage, m.TTL, MaxLifetime)
	}
	for _, name := range reservedHeaders {
		if _, ok := m.Headers[name]; ok {
			return fmt.Errorf("%w: the header %s is the broker's own", ErrInvalidMessage, name)
		}
	}
	if len(m.Body) > MaxBodyBytes {
		return fmt.Errorf("%w: it has %d bytes, %d are allowed", ErrBodyTooLarge, len(m.Body), MaxBodyBytes)
	}
	size, err := headersSize(m.Headers)
	if err != nil {
		return err
	}
	if size > MaxHeadersBytes {
		return fmt.Errorf("%w: headers have %d bytes, %d are allowed", ErrHeadersTooLarge, size, MaxHeadersBytes)
	}
	return nil
}

// headersSize returns how many bytes headers take on the wire (their AMQP 0-9-1 table, without its length prefix).
// A name that is too long or a value of another type than Message allows is an error that wraps ErrInvalidMessage.
func headersSize(headers map[string]any) (int, error) {
	return tableSize(headers, 0)
}

func tableSize(table map[string]any, depth int) (int, error) {
	if depth > maxHeaderDepth {
		return 0, fmt.Errorf("%w: headers nest deeper than %d levels", ErrInvalidMessage, maxHeaderDepth)
	}
	size := 0
	for name, value := range table {
		if len(name) > MaxHeaderNameBytes {
			return 0, fmt.Errorf("%w: the name of header %.40q… has %d bytes, %d are allowed",
				ErrHeadersTooLarge, name, len(name), MaxHeaderNameBytes)
		}
		n, err := valueSize(value, depth)
		if err != nil {
			return 0, fmt.Errorf("header %q: %w", name, err)
		}
		size += 1 + len(name) + n
	}
	return size, nil
}

// valueSize counts a value's type octet, its length prefix if it has one, and its content.
func valueSize(value any, depth int) (int, error) {
	switch v := value.(type) {
	case nil:
		return 1, nil
	case bool:
		return 2, nil
	case int, int8, int16, int32, int64, uint8, uint16, uint32, float32, float64, time.Time:
		return 9, nil // numbers travel widened, as Message says
	case uint:
		return unsignedSize(uint64(v))
	case uint64:
		return unsignedSize(v)
	case string:
		return 5 + len(v), nil
	case []byte:
		return 5 + len(v), nil
	case []any:
		return arraySize(v, depth+1)
	case map[string]any:
		n, err := tableSize(v, depth+1)
		return 5 + n, err
	default:
		return 0, fmt.Errorf("%w: a value of type %T", ErrInvalidMessage, value)
	}
}

func unsignedSize(v uint64) (int, error) {
	if v > math.MaxInt64 {
		return 0, fmt.Errorf("%w: integer %d does not fit 63 bits", ErrInvalidMessage, v)
	}
	return 9, nil
}

func arraySize(values []any, depth int) (int, error) {
	if depth > maxHeaderDepth {
		return 0, fmt.Errorf("%w: headers nest deeper than %d levels", ErrInvalidMessage, maxHeaderDepth)
	}
	size := 5
	for _, value := range values {
		n, err := valueSize(value, depth)
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}
