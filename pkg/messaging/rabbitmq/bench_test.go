package rabbitmq

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

func benchMessage() messaging.Message {
	return messaging.Message{
		ID: "0b0e1a5e-6f4c-4d0a-9a51-5c8a3c1d2e3f", CorrelationID: "0b0e1a5e-6f4c-4d0a-9a51-5c8a3c1d2e3f",
		Type: "rpc.request", AppID: "gateway", ReplyTo: "gateway.rpc.response", TTL: 5 * time.Second, Timestamp: time.Unix(1772366400, 0),
		Headers: map[string]any{
			"rpc-deadline": int64(1772366405000), "rpc-request": "method=GET&path=%2Fv1%2Forders", "rpc-identity": "subject=42",
		},
	}
}

// BenchmarkEncode measures what happens to a message before the AMQP library writes it.
func BenchmarkEncode(b *testing.B) {
	m := benchMessage()
	b.ReportAllocs()
	for b.Loop() {
		if err := validate("orders.get", &m); err != nil {
			b.Fatal(err)
		}
		_ = encode(&m, "")
	}
}

// BenchmarkDecode measures what happens to a message after the AMQP library has read it.
func BenchmarkDecode(b *testing.B) {
	m := benchMessage()
	p := encode(&m, "")
	d := amqp.Delivery{
		Headers: p.Headers, CorrelationId: p.CorrelationId, MessageId: p.MessageId, Type: p.Type, AppId: p.AppId,
		ReplyTo: p.ReplyTo, Expiration: p.Expiration, Timestamp: p.Timestamp,
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = decode(&d)
	}
}

// BenchmarkAcknowledger measures the acknowledgement of a message without its frame.
func BenchmarkAcknowledger(b *testing.B) {
	a := newTestAcknowledger(1000)
	tag := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		tag++
		a.ack(tag)
		if tag%100 == 0 {
			a.take(false)
		}
	}
}
