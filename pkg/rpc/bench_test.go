package rpc

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
	"example.com/warren/pkg/rpc/protocol"
)

func BenchmarkRegistry(b *testing.B) {
	r := newRegistry(ClientOptions{MaxPending: 10_000, MaxPendingPerQueue: 2_000})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		key := uuid.NewString()
		for pb.Next() {
			call := newPendingCall(&Request{Queue: "orders.get"})
			if err := r.add(key, call); err != nil {
				b.Fatal(err)
			}
			if err := r.finish(&messaging.Message{CorrelationID: key}); err != nil {
				b.Fatal(err)
			}
			<-call.outcomes
		}
	})
}

// BenchmarkTypedHandler decodes a message, binds and validates the input, handles it, and encodes the reply.
func BenchmarkTypedHandler(b *testing.B) {
	s := newTestServer(&hooked{send: func(context.Context, string, messaging.Message) error { return nil }}, ServerOptions{})
	Handle(s, "orders.create", func(_ context.Context, in input) (line, error) { return line{SKU: in.Name}, nil })
	request := shopRequest()
	request.Deadline = time.Now().Add(time.Hour)
	m := driver.Normalize(protocol.Encoder{ReplyTo: "gateway.rpc.response"}.Request(request, "secret", time.Now()))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.all[0].receive(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDo measures the client alone: the reply arrives before Send returns.
func BenchmarkDo(b *testing.B) {
	var c *Client
	broker := &hooked{
		Broker: newBroker(b),
		ensure: func(context.Context, messaging.Queue) error { return nil },
		send: func(ctx context.Context, _ string, m messaging.Message) error {
			return c.receive(ctx, messaging.Message{CorrelationID: m.CorrelationID})
		},
	}
	c = startClient(b, broker, ClientOptions{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Do(b.Context(), &Request{Queue: "orders.get"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRoundTrip makes calls to a server over the in-memory broker.
func BenchmarkRoundTrip(b *testing.B) {
	broker := newBroker(b)
	reply := &Reply{Status: 200, ContentType: "application/json", Body: make([]byte, 1024)}
	serve(b, broker, ServerOptions{}, "orders.get", func(context.Context, *Request) (*Reply, error) { return reply, nil })
	c := startClient(b, broker, ClientOptions{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Do(b.Context(), &Request{Queue: "orders.get"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
