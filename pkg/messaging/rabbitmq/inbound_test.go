package rabbitmq

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// headerTests are headers that RabbitMQ accepts. The library refuses those with a note.
func headerTests() map[string]struct {
	fields []byte
	note   string
} {
	field, long, nested := rabbitmqtest.Field, rabbitmqtest.Long, rabbitmqtest.Nested
	elements := func(n int) []byte {
		var fields []byte
		for i := range n {
			fields = append(fields, field(string(binary.BigEndian.AppendUint16(nil, uint16(i))), "V")...)
		}
		return fields
	}
	// sized returns headers that make a content header frame of the given payload.
	sized := func(payload int) []byte {
		rest := len(rabbitmqtest.Properties("sized", field("", long('S')))) + 12
		return field("", long('S', make([]byte, payload-rest)))
	}
	return map[string]struct {
		fields []byte
		note   string
	}{
		"none":                            {nil, ""},
		"L":                               {field("n", "L\xff\xff\xff\xff\xff\xff\xff\xfe"), ""},
		"L in a list in a table":          {field("t", long('F', field("a", long('A', []byte("L\x00\x00\x00\x00\x00\x00\x00\x01"))))), ""},
		"text like a field":               {field("L", long('S', []byte("L12345678"))), ""},
		"tables nested as deep":           {field("t", nested('F', 32)), ""},
		"tables nested too deep":          {field("t", nested('F', 33)), "nested"},
		"tables nested far too deep":      {field("t", nested('F', 10_000)), "nested"},
		"lists nested as deep":            {field("a", nested('A', 32)), ""},
		"lists nested too deep":           {field("a", nested('A', 33)), "nested"},
		"as many headers":                 {elements(8192), ""},
		"too many headers":                {elements(8193), "elements"},
		"as many elements of a table":     {field("t", long('F', elements(8192))), ""},
		"too many elements of a table":    {field("t", long('F', elements(8193))), "elements"},
		"as many elements of a list":      {field("a", long('A', slices.Repeat([]byte("V"), 8192))), ""},
		"too many elements of a list":     {field("a", long('A', slices.Repeat([]byte("V"), 8193))), "elements"},
		"as large a frame":                {sized(rabbitmqtest.MaxFrame - 8), ""},
		"too large a frame":               {sized(rabbitmqtest.MaxFrame - 7), "131073 bytes"},
		"the largest frame of RabbitMQ":   {sized(rabbitmqtest.MaxFrame), "131080 bytes"},
		"a frame that the broker adds to": {sized(rabbitmqtest.MaxFrame + 1000), "bytes"},
	}
}

// TestInbound has the library read content headers from a server that sends them as they are.
func TestInbound(t *testing.T) {
	for name, test := range headerTests() {
		t.Run(name, func(t *testing.T) {
			got := deliver(t, rabbitmqtest.Properties("sized", test.fields), []byte("body"))
			note, _ := got.Headers[deadletter.NoteHeader].(string)
			if (note != "") != (test.note != "") || !strings.Contains(note, test.note) {
				t.Errorf("note %q, want one with %q", note, test.note)
			}
			if got.MessageId != "sized" || string(got.Body) != "body" {
				t.Errorf("message %q with body %q", got.MessageId, got.Body)
			}
		})
	}
	t.Run("the value of L", func(t *testing.T) {
		got := deliver(t, rabbitmqtest.Properties("", headerTests()["L"].fields), nil)
		if got.Headers["n"] != int64(-2) {
			t.Errorf("headers %v", got.Headers)
		}
	})
}

// FuzzInbound checks that the library reads on after any properties, also those that no broker sends.
func FuzzInbound(f *testing.F) {
	for _, test := range headerTests() {
		f.Add(rabbitmqtest.Properties("id", test.fields))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
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
	in := newInbound(client)
	conn, err := amqp.Open(in, amqp.Config{
		SASL: []amqp.Authentication{&amqp.PlainAuth{}}, FrameSize: rabbitmqtest.MaxFrame, Locale: "en_US",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(); _ = client.Close(); <-served }()
	in.frameSize.Store(int64(conn.Config.FrameSize))
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume("", "tag", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, second := receive(t, deliveries), receive(t, deliveries)
	if first.DeliveryTag != 1 || second.DeliveryTag != 2 {
		t.Fatalf("the library did not read on after %q", properties)
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

// TestUndecodableMessages publishes to two queues what the library does not decode. Each message costs itself alone: it is
// dead-lettered, or dropped where there are no dead letters, and the connections stay.
func TestUndecodableMessages(t *testing.T) {
	for _, queueType := range []messaging.QueueType{messaging.Classic, messaging.Quorum} {
		t.Run(string(queueType), func(t *testing.T) {
			type letter struct{ queue, reason string }
			aside := make(chan letter, 1000)
			b := newTestBroker(t, Options{OnSetAside: func(queue, reason string) { aside <- letter{queue, reason} }})
			publishing, consuming := sessions(t, b)
			publish := rawPublisher(t)
			with, without := testQueue(t), testQueue(t)
			with.Type, with.DeadLetter, without.Type = queueType, with.Name+".dead", queueType
			with.DeliveryLimit = 3
			dead := receivedMessages(t, b, deadLetterQueue(with))
			for _, q := range []messaging.Queue{with, without} {
				got := receivedMessages(t, b, q)
				for name, test := range headerTests() {
					if name == "a frame that the broker adds to" {
						continue // no client can send it
					}
					publish(q.Name, rabbitmqtest.Properties("sized", test.fields))
					if test.note == "" {
						if m := receive(t, got); m.ID != "sized" || string(m.Body) != "raw" {
							t.Errorf("%s: %+v", name, m)
						}
						continue
					}
					if l := receive(t, aside); l != (letter{q.Name, deadletter.ReasonUndecodable}) {
						t.Errorf("%s: set aside %+v", name, l)
					}
					if q.DeadLetter == "" {
						continue
					}
					m := receive(t, dead)
					note, _ := m.Headers[deadletter.NoteHeader].(string)
					if death := deadletter.DeathOf(m); death.Queue != q.Name || death.Reason != deadletter.ReasonUndecodable ||
						!strings.Contains(note, test.note) || m.ID != "sized" || string(m.Body) != "raw" {
						t.Errorf("%s: %+v", name, m)
					}
				}
				if err := b.Publish(testContext(t), q.Name, messaging.Message{ID: "marker"}); err != nil {
					t.Fatal(err)
				}
				if m := receive(t, got); m.ID != "marker" {
					t.Errorf("got %+v", m)
				}
			}
			if p, c := sessions(t, b); p != publishing || c != consuming {
				t.Error("a connection was lost")
			}
		})
	}
}

func sessions(t *testing.T, b *Broker) (publishing, consuming *session) {
	t.Helper()
	publishing, err := b.publishing.session()
	if err != nil {
		t.Fatal(err)
	}
	if consuming, err = b.consuming.session(); err != nil {
		t.Fatal(err)
	}
	return publishing, consuming
}

// TestLargeHeaders rejects messages whose headers, with those of the dead letter, do not fit a frame, or are many times larger
// as the library encodes them.
func TestLargeHeaders(t *testing.T) {
	b := newTestBroker(t, Options{})
	publishing, consuming := sessions(t, b)
	publish := rawPublisher(t)
	q := testQueue(t)
	q.DeadLetter, q.DeliveryLimit = q.Name+".dead", 2
	dead := receivedMessages(t, b, deadLetterQueue(q))
	for name, fail := range map[string]error{"rejected": messaging.Reject(errors.New("no")), "redelivered": errors.New("again")} {
		s, err := b.Subscribe(testContext(t), q, func(context.Context, messaging.Message) error { return fail },
			messaging.WithRetryDelay(1, 2))
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			value string
			kept  bool
		}{
			{rabbitmqtest.Long('S', make([]byte, 100_000)), true},
			{rabbitmqtest.Long('S', make([]byte, 130_500)), false},
			{rabbitmqtest.Long('A', slices.Repeat([]byte("b"), 8000)), true},
			{rabbitmqtest.Long('F', rabbitmqtest.Field("1", rabbitmqtest.Long('A', slices.Repeat([]byte("b"), 8000))),
				rabbitmqtest.Field("2", rabbitmqtest.Long('A', slices.Repeat([]byte("b"), 8000)))), false},
		} {
			publish(q.Name, rabbitmqtest.Properties("large", rabbitmqtest.Field("large", test.value)))
			m := receive(t, dead)
			_, kept := m.Headers["large"]
			_, noted := m.Headers[deadletter.NoteHeader]
			if m.ID != "large" || kept != test.kept || noted == test.kept || deadletter.DeathOf(m).Queue != q.Name {
				t.Errorf("%s, %d bytes: message %s, headers kept: %t, noted: %t", name, len(test.value), m.ID, kept, noted)
			}
		}
		if err := s.Drain(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	if p, c := sessions(t, b); p != publishing || c != consuming {
		t.Error("a connection was lost")
	}
}
