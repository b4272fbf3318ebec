package rabbitmq

import (
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// encode returns m, which is valid, as the library publishes it. user is the connection's, which the broker checks.
// See https://www.rabbitmq.com/docs/validated-user-id.
func encode(m *messaging.Message, user string) amqp.Publishing {
	p := amqp.Publishing{
		Headers:         encodeTable(m.Headers),
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

func encodeTable(headers map[string]any) amqp.Table {
	if headers == nil {
		return nil
	}
	table := make(amqp.Table, len(headers))
	for name, value := range headers {
		table[name] = encodeValue(value)
	}
	return table
}

// encodeValue gives each integer 64 bits: the library has no unsigned 32 or 64 bit integers.
func encodeValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if v == nil {
			return amqp.Table{}
		}
		return encodeTable(v)
	case []any:
		array := make([]any, len(v))
		for i, element := range v {
			array[i] = encodeValue(element)
		}
		return array
	case int:
		return int64(v)
	case uint:
		return int64(v) //nolint:gosec // Message.Validate refuses what does not fit
	case uint32:
		return int64(v)
	case uint64:
		return int64(v) //nolint:gosec // Message.Validate refuses what does not fit
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
		Headers:         decodeTable(d.Headers),
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

func decodeTable(table amqp.Table) map[string]any {
	if len(table) == 0 {
		return nil
	}
	headers := make(map[string]any, len(table))
	for name, value := range table {
		if name == quorumCountHeader || name == classicCountHeader {
			continue
		}
		headers[name] = decodeValue(value)
	}
	if len(headers) == 0 {
		return nil
	}
	return headers
}

func decodeNested(table amqp.Table) map[string]any {
	headers := make(map[string]any, len(table))
	for name, value := range table {
		headers[name] = decodeValue(value)
	}
	return headers
}

// decodeValue widens numbers, as messaging.Message documents.
func decodeValue(value any) any {
	switch v := value.(type) {
	case amqp.Table:
		return decodeNested(v)
	case []any:
		array := make([]any, len(v))
		for i, element := range v {
			array[i] = decodeValue(element)
		}
		return array
	case int8:
		return int64(v)
	case uint8:
		return int64(v)
	case int16:
		return int64(v)
	case uint16:
		return int64(v)
	case int32:
		return int64(v)
	case uint32:
		return int64(v)
	case int:
		return int64(v)
	case float32:
		return float64(v)
	case time.Time:
		return v.UTC()
	case amqp.Decimal:
		return decodeDecimal(v)
	default:
		return value
	}
}

// decodeDecimal gives other clients' decimals a type that Message has.
func decodeDecimal(d amqp.Decimal) float64 {
	value := float64(d.Value)
	for range d.Scale {
		value /= 10
	}
	return value
}
