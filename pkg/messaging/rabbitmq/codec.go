package rabbitmq

import (
	"slices"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// encode returns m, which must be valid, in the form that the library publishes. The broker checks that user is the
// connection's.
// See https://www.rabbitmq.com/docs/validated-user-id.
func encode(m *messaging.Message, user string) amqp.Publishing {
	p := amqp.Publishing{
		Headers:         encodeHeaders(m.Headers),
		ContentType:     m.ContentType,
		ContentEncoding: m.ContentEncoding,
		CorrelationId:   m.CorrelationID,
		ReplyTo:         m.ReplyTo,
		MessageId:       m.ID,
		Timestamp:       m.Timestamp,
		Type:            m.Type,
		UserId:          user,
		AppId:           m.AppID,
		Body:            m.Body,
		DeliveryMode:    amqp.Transient,
	}
	if m.Persistent {
		p.DeliveryMode = amqp.Persistent
	}
	if m.TTL > 0 {
		// The broker drops a message with an expiration of 0 unless a consumer is ready for it.
		p.Expiration = strconv.FormatInt(max(m.TTL.Milliseconds(), 1), 10)
	}
	return p
}

func encodeHeaders(headers map[string]any) amqp.Table {
	if arePlain(headers) {
		return headers
	}
	return driver.ConvertHeaders[amqp.Table](headers, encodeScalar)
}

// arePlain reports whether headers are the same for senders, receivers and the library, so that they need not be copied.
func arePlain(headers map[string]any) bool {
	for _, value := range headers {
		switch value.(type) {
		case nil, bool, string, int64, float64:
		default:
			return false
		}
	}
	return true
}

// encodeScalar widens integers of the types that the library cannot encode or encodes in 32 bits.
func encodeScalar(value any) any {
	switch value.(type) {
	case int, uint, uint32, uint64:
		n, _ := driver.Integer(value)
		return n
	default:
		return value
	}
}

// decode returns the message that was sent. It may share the headers of d, which both sides then only read.
func decode(d *amqp.Delivery) messaging.Message {
	m := messaging.Message{
		ID:              d.MessageId,
		Type:            d.Type,
		AppID:           d.AppId,
		ContentType:     d.ContentType,
		ContentEncoding: d.ContentEncoding,
		CorrelationID:   d.CorrelationId,
		ReplyTo:         d.ReplyTo,
		UserID:          d.UserId,
		Headers:         decodeHeaders(d.Headers),
		Body:            d.Body,
		TTL:             decodeTTL(d.Expiration),
		Persistent:      d.DeliveryMode == amqp.Persistent,
	}
	if m.ReplyTo == driver.DirectReplyTo {
		m.ReplyTo = "" // RabbitMQ would close the channel that moves the message
	}
	if !d.Timestamp.IsZero() {
		m.Timestamp = d.Timestamp.UTC()
	}
	return m
}

// decodeTTL returns 0 for an expiration that is not a number of milliseconds. The broker does not accept such messages.
func decodeTTL(expiration string) time.Duration {
	ms, err := strconv.ParseInt(expiration, 10, 64)
	if err != nil || ms < 0 {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

func decodeReturn(r *amqp.Return) messaging.Return {
	return messaging.Return{Queue: r.RoutingKey, Message: decode(&amqp.Delivery{
		Headers:         r.Headers,
		ContentType:     r.ContentType,
		ContentEncoding: r.ContentEncoding,
		DeliveryMode:    r.DeliveryMode,
		CorrelationId:   r.CorrelationId,
		ReplyTo:         r.ReplyTo,
		Expiration:      r.Expiration,
		MessageId:       r.MessageId,
		Timestamp:       r.Timestamp,
		Type:            r.Type,
		UserId:          r.UserId,
		AppId:           r.AppId,
		Body:            r.Body,
	})}
}

var reservedHeaders = [...]string{countHeader, deliveryCountHeader, acquiredCountHeader, "CC", "BCC"}

// decodeHeaders leaves out the headers that are reserved for the broker: those that count deliveries, and CC and BCC, with
// which a message that is dead-lettered or renewed would go to other queues again.
// See https://www.rabbitmq.com/docs/sender-selected.
func decodeHeaders(table amqp.Table) map[string]any {
	isThere := func(name string) bool { _, ok := table[name]; return ok }
	switch {
	case len(table) == 0:
		return nil
	case arePlain(table) && !slices.ContainsFunc(reservedHeaders[:], isThere):
		return table
	}
	headers := driver.ConvertHeaders[map[string]any](table, decodeScalar)
	for _, name := range reservedHeaders {
		delete(headers, name)
	}
	if len(headers) == 0 {
		return nil
	}
	return headers
}

// decodeScalar also converts decimals, which other clients may send.
func decodeScalar(value any) any {
	if d, ok := value.(amqp.Decimal); ok {
		return decodeDecimal(d)
	}
	return driver.Widen(value)
}

func decodeDecimal(d amqp.Decimal) float64 {
	value := float64(d.Value)
	for range d.Scale {
		value /= 10
	}
	return value
}
