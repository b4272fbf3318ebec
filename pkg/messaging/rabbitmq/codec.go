package rabbitmq

import (
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

// encode returns m, which is valid, as the library publishes it. user is the connection's, which the broker checks.
// See https://www.rabbitmq.com/docs/validated-user-id.
func encode(m *messaging.Message, user string) amqp.Publishing {
	p := amqp.Publishing{
		Headers:         driver.ConvertHeaders[amqp.Table](m.Headers, encodeScalar),
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
		// 0 would mean: drop it unless a consumer takes it this instant.
		p.Expiration = strconv.FormatInt(max(m.TTL.Milliseconds(), 1), 10)
	}
	return p
}

// encodeScalar gives the integers that the library does not support 64 bits.
func encodeScalar(value any) any {
	switch value.(type) {
	case int, uint, uint32, uint64:
		n, _ := driver.Integer(value)
		return n
	default:
		return value
	}
}

// decode returns a delivery as the message that was sent.
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
	if !d.Timestamp.IsZero() {
		m.Timestamp = d.Timestamp.UTC()
	}
	return m
}

// decodeTTL takes what is not a number of milliseconds as no TTL; the broker refuses to publish it anyway.
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

// decodeHeaders leaves out the headers that count deliveries.
func decodeHeaders(table amqp.Table) map[string]any {
	headers := driver.ConvertHeaders[map[string]any](table, decodeScalar)
	delete(headers, quorumCountHeader)
	delete(headers, classicCountHeader)
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
