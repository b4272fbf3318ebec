package rabbitmq

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/driver"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

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
				for name, test := range rabbitmqtest.HeaderTests() {
					publish(q.Name, rabbitmqtest.Properties("test", test.Fields))
					if test.Note == "" {
						if m := receive(t, got); m.ID != "test" || string(m.Body) != "raw" {
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
						!strings.Contains(note, test.Note) || m.ID != "test" || string(m.Body) != "raw" {
						t.Errorf("%s: %+v", name, m)
					}
				}
				if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: "marker"}); err != nil {
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
		s, err := b.Subscribe(awaittest.Context(t), q, func(context.Context, messaging.Message) error { return fail },
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
			{rabbitmqtest.Long('A', slices.Repeat([]byte("b\x01"), 8000)), true},
			{rabbitmqtest.Long('F', rabbitmqtest.Field("1", rabbitmqtest.Long('A', slices.Repeat([]byte("b\x01"), 8000))),
				rabbitmqtest.Field("2", rabbitmqtest.Long('A', slices.Repeat([]byte("b\x01"), 8000)))), false},
		} {
			publish(q.Name, rabbitmqtest.Properties("large", rabbitmqtest.Field("large", test.value)))
			m := receive(t, dead)
			_, kept := m.Headers["large"]
			_, noted := m.Headers[deadletter.NoteHeader]
			if m.ID != "large" || kept != test.kept || noted == test.kept || deadletter.DeathOf(m).Queue != q.Name {
				t.Errorf("%s, %d bytes: message %s, headers kept: %t, noted: %t", name, len(test.value), m.ID, kept, noted)
			}
		}
		if err := s.Drain(awaittest.Context(t)); err != nil {
			t.Fatal(err)
		}
	}
	if p, c := sessions(t, b); p != publishing || c != consuming {
		t.Error("a connection was lost")
	}
}

// TestDirectReplyTo decodes a request from a client of another protocol. RabbitMQ would close the channel that moves it.
func TestDirectReplyTo(t *testing.T) {
	if m := decode(&amqp.Delivery{ReplyTo: driver.DirectReplyTo}); m.ReplyTo != "" {
		t.Errorf("reply to %q", m.ReplyTo)
	}
}
