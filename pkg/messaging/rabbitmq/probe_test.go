package rabbitmq

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// TestBrokerLimits has a broker with small limits. Messages beyond them are refused, and the connection stays.
func TestBrokerLimits(t *testing.T) {
	t.Parallel()
	const maxBody, maxFrame = 100_000, 8192
	node := rabbitmqtest.StartNode(t, rabbitmqtest.Options{
		Config: fmt.Sprintf("max_message_size = %d\nframe_max = %d\n", maxBody, maxFrame),
	})
	b := newTestBroker(t, Options{URLs: []string{node.URL()}})
	publishing, consuming := sessions(t, b)
	q := testQueue(t)
	got := received(t, b, q)
	send := func(m messaging.Message) error { return b.Send(awaittest.Context(t), q.Name, m) }
	publish := func(m messaging.Message) error { return b.Publish(awaittest.Context(t), q.Name, m) }
	var others sync.WaitGroup
	defer others.Wait()
	others.Go(func() {
		for i := range 1000 {
			if err := send(messaging.Message{ID: fmt.Sprint(i)}); err != nil {
				t.Errorf("another message: %v", err)
			}
		}
	})
	for name, hand := range map[string]func(messaging.Message) error{"send": send, "publish": publish} {
		for _, test := range []struct {
			m    messaging.Message
			want error
		}{
			{messaging.Message{Body: make([]byte, maxBody+1)}, messaging.ErrBodyTooLarge},
			{messaging.Message{Body: make([]byte, maxBody)}, nil},
			{messaging.Message{Body: make([]byte, messaging.MaxBodyBytes)}, messaging.ErrBodyTooLarge},
			{messaging.Message{Headers: map[string]any{"large": strings.Repeat("x", maxFrame)}}, messaging.ErrHeadersTooLarge},
			{messaging.Message{Headers: map[string]any{"large": strings.Repeat("x", maxFrame/2)}}, nil},
		} {
			if err := hand(test.m); !errors.Is(err, test.want) {
				t.Errorf("%s %d bytes with %d headers: %v, want %v", name, len(test.m.Body), len(test.m.Headers), err, test.want)
			}
		}
	}
	for range 1000 + 2*2 {
		receive(t, got)
	}
	if p, c := sessions(t, b); p != publishing || c != consuming {
		t.Error("a connection was lost")
	}
}

// TestAlarmBeforeTheFirstMessage connects to a broker that is low on memory already.
func TestAlarmBeforeTheFirstMessage(t *testing.T) {
	t.Parallel()
	node := lockFaultyNode(t)
	raiseMemoryAlarm(t, node)
	b := newTestBroker(t, Options{URLs: []string{node.URL()}})
	if err := b.Ready(); !errors.Is(err, messaging.ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
	q := testQueue(t)
	got := received(t, b, q)
	refusal := awaittest.Within(time.Second)
	err := b.Send(awaittest.Context(t), q.Name, messaging.Message{ID: "refused"})
	if late := refusal.Late(); !errors.Is(err, messaging.ErrUnavailable) || late > 0 {
		t.Errorf("send: %v, %s late, want ErrUnavailable at once", err, late)
	}
	clearMemoryAlarm(t, node)
	awaittest.Until(t, "unblocked", func() bool {
		return b.Send(awaittest.Context(t), q.Name, messaging.Message{ID: "after"}) == nil
	})
	if id := receive(t, got); id != "after" {
		t.Errorf("got %s", id)
	}
}
