package inbound_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/rabbitmq/internal/inbound"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// TestInbound has the library read content headers from a server that sends them as they are.
func TestInbound(t *testing.T) {
	for name, test := range rabbitmqtest.HeaderTests() {
		t.Run(name, func(t *testing.T) {
			got := deliver(t, rabbitmqtest.Properties("test", test.Fields), []byte("body"))
			note, _ := got.Headers[deadletter.NoteHeader].(string)
			if (note != "") != (test.Note != "") || !strings.Contains(note, test.Note) {
				t.Errorf("note %q, want one with %q", note, test.Note)
			}
			if got.MessageId != "test" || string(got.Body) != "body" {
				t.Errorf("message %q with body %q", got.MessageId, got.Body)
			}
		})
	}
	t.Run("the value of L", func(t *testing.T) {
		got := deliver(t, rabbitmqtest.Properties("", rabbitmqtest.HeaderTests()["L"].Fields), nil)
		if got.Headers["n"] != int64(-2) {
			t.Errorf("headers %v", got.Headers)
		}
	})
}

// FuzzInbound checks that the library reads on after any properties, also those that no broker sends.
func FuzzInbound(f *testing.F) {
	for _, test := range rabbitmqtest.HeaderTests() {
		f.Add(rabbitmqtest.Properties("id", test.Fields))
	}
	// Bytes after the properties make the frame too large.
	f.Add(slices.Concat(rabbitmqtest.Properties("id", nil), make([]byte, rabbitmqtest.MaxFrame)))
	f.Add(make([]byte, 2+rabbitmqtest.MaxFrame))
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		f.Add(rabbitmqtest.RandomProperties(r, []string{"queue"}))
	}
	f.Fuzz(func(t *testing.T, properties []byte) {
		if len(properties) >= 2 {
			deliver(t, properties, []byte("body"))
		}
	})
}

// deliver returns the delivery that the library makes of a message. It fails t unless the library reads the next one too.
func deliver(t *testing.T, properties, body []byte) amqp.Delivery {
	t.Helper()
	client, server := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		serveDeliveries(server, properties, body)
	}()
	in := inbound.New(client)
	conn, err := amqp.Open(in, amqp.Config{
		SASL: []amqp.Authentication{&amqp.PlainAuth{}}, FrameSize: rabbitmqtest.MaxFrame, Locale: "en_US",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(); _ = client.Close(); <-served }()
	in.LimitFrames(conn.Config.FrameSize)
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume("", "tag", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, second := awaittest.Receive(t, deliveries, "a delivery"), awaittest.Receive(t, deliveries, "the next delivery")
	if first.DeliveryTag != 1 || second.DeliveryTag != 2 {
		t.Fatalf("the library did not read on after %d bytes of properties, %q …", len(properties), properties[:min(len(properties), 200)])
	}
	return first
}

// serveDeliveries is a broker that delivers a message and an empty one to the first consumer.
func serveDeliveries(conn net.Conn, properties, body []byte) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	if _, err := in.Discard(len("AMQP0091")); err != nil {
		return
	}
	frame := rabbitmqtest.Frame
	method := func(channel uint16, id uint32, arguments string) []byte {
		return frame(1, channel, binary.BigEndian.AppendUint32(nil, id), []byte(arguments))
	}
	delivery := func(tag byte, properties, body []byte) []byte {
		head := binary.BigEndian.AppendUint64([]byte{0, 60, 0, 0}, uint64(len(body)))
		out := slices.Concat(
			method(1, 60<<16|60, "\x03tag"+"\x00\x00\x00\x00\x00\x00\x00"+string(tag)+"\x00"+"\x00"+"\x00"),
			frame(2, 1, head, properties),
		)
		if len(body) > 0 {
			out = append(out, frame(3, 1, body)...)
		}
		return out
	}
	responses := map[uint32][]byte{
		10<<16 | 11: method(0, 10<<16|30, "\x00\x02"+"\x00\x02\x00\x00"+"\x00\x00"), // tune: frames of up to 128 KiB
		10<<16 | 31: nil,
		10<<16 | 40: method(0, 10<<16|41, "\x00"),
		10<<16 | 50: method(0, 10<<16|51, ""),
		20<<16 | 10: method(1, 20<<16|11, "\x00\x00\x00\x00"),
		60<<16 | 20: slices.Concat(method(1, 60<<16|21, "\x03tag"), delivery(1, properties, body), delivery(2, []byte{0, 0}, nil)),
	}
	send := method(0, 10<<16|10, "\x00\x09"+"\x00\x00\x00\x00"+"\x00\x00\x00\x05PLAIN"+"\x00\x00\x00\x05en_US")
	for {
		if _, err := conn.Write(send); err != nil {
			return
		}
		head := make([]byte, 7)
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(in, payload); err != nil {
			return
		}
		send = responses[binary.BigEndian.Uint32(payload)]
	}
}
