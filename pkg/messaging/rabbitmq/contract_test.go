package rabbitmq

import (
	"log/slog"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/messagingtest"
)

func TestContract(t *testing.T) {
	for _, queueType := range []messaging.QueueType{messaging.Classic, messaging.Quorum} {
		t.Run(string(queueType), func(t *testing.T) {
			messagingtest.Run(t, connect, messagingtest.Options{
				QueueType: queueType,
				User:      testUser(t),
				Interrupt: interrupt,
			})
		})
	}
}

// testUser returns the user of the tests' broker URL.
func testUser(t *testing.T) string {
	t.Helper()
	uri, err := amqp.ParseURI(testURL)
	if err != nil {
		t.Fatal(err)
	}
	return uri.Username
}

// interrupt breaks both connections, as a network does.
func interrupt(t *testing.T, broker messaging.Broker) {
	t.Helper()
	b, ok := broker.(*Broker)
	if !ok {
		t.Fatalf("got a broker of type %T", broker)
	}
	for _, c := range []*connection{b.publishing, b.consuming} {
		s, err := c.session()
		if err != nil {
			t.Fatal(err)
		}
		_ = s.socket.Conn.Close()
		<-s.ctx.Done()
	}
}

func connect(t *testing.T) messaging.Broker {
	t.Helper()
	b, err := New(Options{URLs: []string{testURL}, Name: t.Name(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	awaitReady(t, b)
	return b
}
