package driver

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/warren/pkg/messaging"
)

// Limits of client libraries. A message beyond them cannot be received. The depth also makes a value that contains itself an
// error and not a stack overflow.
const (
	maxHeaderDepth = 32
	maxElements    = 8192 // of a table or list
)

// DirectReplyTo is a queue that a message may name only if its own channel consumes from it; else RabbitMQ closes the channel.
// See https://www.rabbitmq.com/docs/direct-reply-to.
const DirectReplyTo = "amq.rabbitmq.reply-to"

// reservedHeaders make RabbitMQ send copies to other queues, or count deliveries. Within a nested table they are plain data.
var reservedHeaders = [...]string{"CC", "BCC", "x-delivery-count", "x-acquired-count", "x-classic-delivery-count"}

// ValidateMessage returns an error that wraps messaging.ErrInvalidMessage if no broker can carry m.
func ValidateMessage(m *messaging.Message) error {
	for _, s := range [...]struct{ name, value string }{
		{"id", m.ID}, {"type", m.Type}, {"app id", m.AppID}, {"content type", m.ContentType},
		{"content encoding", m.ContentEncoding}, {"correlation id", m.CorrelationID}, {"reply to", m.ReplyTo},
	} {
		if len(s.value) > messaging.MaxHeaderNameBytes {
			return invalid("%s has %d bytes, %d are allowed", s.name, len(s.value), messaging.MaxHeaderNameBytes)
		}
	}
	if m.TTL < 0 || m.TTL > messaging.MaxLifetime {
		return invalid("TTL %s is not between 0 and %s", m.TTL, messaging.MaxLifetime)
	}
	for _, name := range reservedHeaders {
		if _, ok := m.Headers[name]; ok {
			return invalid("header %s is reserved for the broker", name)
		}
	}
	if m.ReplyTo == DirectReplyTo {
		return invalid("reply to %s", DirectReplyTo)
	}
	if len(m.Body) > messaging.MaxBodyBytes {
		return fmt.Errorf("%w: it has %d bytes, %d are allowed", messaging.ErrBodyTooLarge, len(m.Body), messaging.MaxBodyBytes)
	}
	return ValidateHeaders(m.Headers, messaging.MaxHeadersBytes)
}

// ValidateHeaders returns an error that wraps messaging.ErrInvalidMessage if no broker can carry headers, or if they have more
// bytes than limit in AMQP's encoding. It allows the reserved ones.
func ValidateHeaders(headers map[string]any, limit int) error {
	size, err := headersSize(headers)
	if err != nil {
		return err
	}
	if size > limit {
		return fmt.Errorf("%w: they have %d bytes, %d are allowed", messaging.ErrHeadersTooLarge, size, limit)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", messaging.ErrInvalidMessage, fmt.Errorf(format, args...))
}

// headersSize returns the size of headers as an AMQP 0-9-1 table with widened values, without the table's length prefix.
func headersSize(headers map[string]any) (int, error) { return tableSize(headers, 0) }

func tableSize(table map[string]any, depth int) (int, error) {
	if depth > maxHeaderDepth {
		return 0, invalid("headers nest deeper than %d levels", maxHeaderDepth)
	}
	if len(table) > maxElements {
		return 0, invalid("a table of %d elements, %d are allowed", len(table), maxElements)
	}
	size := 0
	for name, value := range table {
		if len(name) > messaging.MaxHeaderNameBytes {
			return 0, fmt.Errorf("%w: the name of header %.40q… has %d bytes, %d are allowed",
				messaging.ErrHeadersTooLarge, name, len(name), messaging.MaxHeaderNameBytes)
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
	const number, prefix = 1 + 8, 1 + 4
	switch v := value.(type) {
	case nil:
		return 1, nil
	case bool:
		return 2, nil
	case string:
		return prefix + len(v), nil
	case []byte:
		return prefix + len(v), nil
	case float32:
		return valueSize(float64(v), depth)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, invalid("the float %v is not finite", v)
		}
		return number, nil
	case time.Time:
		return number, nil
	case []any:
		n, err := listSize(v, depth+1)
		return prefix + n, err
	case map[string]any:
		n, err := tableSize(v, depth+1)
		return prefix + n, err
	case uint64:
		if v > math.MaxInt64 {
			return 0, invalid("integer %d does not fit 63 bits", v)
		}
	case uint:
		return valueSize(uint64(v), depth)
	}
	if _, ok := Integer(value); !ok {
		return 0, invalid("a value of type %T", value)
	}
	return number, nil
}

func listSize(list []any, depth int) (int, error) {
	if depth > maxHeaderDepth {
		return 0, invalid("headers nest deeper than %d levels", maxHeaderDepth)
	}
	if len(list) > maxElements {
		return 0, invalid("a list of %d elements, %d are allowed", len(list), maxElements)
	}
	size := 0
	for _, value := range list {
		n, err := valueSize(value, depth)
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

// ValidateQueue returns an error that wraps messaging.ErrInvalidQueue if no broker can declare q.
func ValidateQueue(q messaging.Queue) error {
	if err := validateName(q.Name); err != nil {
		return err
	}
	switch {
	case !q.Durable:
		return invalidQueue("%s is not durable", q.Name)
	case q.Type != "" && q.Type != messaging.Classic && q.Type != messaging.Quorum:
		return invalidQueue("%s has the unknown type %q", q.Name, q.Type)
	case q.Type == messaging.Quorum && q.AutoDelete:
		return invalidQueue("%s is a quorum queue and can't be auto-delete", q.Name)
	case q.Expiry < 0 || q.Expiry > messaging.MaxLifetime:
		return invalidQueue("%s has the expiry %s, not between 0 and %s", q.Name, q.Expiry, messaging.MaxLifetime)
	case q.DeliveryLimit < 0:
		return invalidQueue("%s has the negative delivery limit %d", q.Name, q.DeliveryLimit)
	case q.DeadLetter != "":
		return validateName(q.DeadLetter)
	}
	return nil
}

// validateName refuses what RabbitMQ refuses, and line breaks, which it silently removes from the names that it declares.
func validateName(name string) error {
	switch {
	case name == "":
		return invalidQueue("no name")
	case len(name) > messaging.MaxHeaderNameBytes:
		return invalidQueue("a name of %d bytes, %d are allowed", len(name), messaging.MaxHeaderNameBytes)
	case !utf8.ValidString(name):
		return invalidQueue("the name %q is not UTF-8", name)
	case strings.ContainsAny(name, "\r\n"):
		return invalidQueue("the name %q has a line break", name)
	case strings.HasPrefix(name, "amq."):
		return invalidQueue("%s has the prefix amq., which is reserved for the broker", name)
	}
	return nil
}

func invalidQueue(format string, args ...any) error {
	return fmt.Errorf("%w: %w", messaging.ErrInvalidQueue, fmt.Errorf(format, args...))
}
