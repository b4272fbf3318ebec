package rabbitmq

import (
	"log/slog"
	"testing"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/messagingtest"
)

func TestContract(t *testing.T) {
	for _, queueType := range []messaging.QueueType{messaging.Classic, messaging.Quorum} {
		t.Run(string(queueType), func(t *testing.T) {
			messagingtest.Run(t, connect, messagingtest.Options{QueueType: queueType})
		})
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
