package messagingtest

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

func invalidMessages() map[string]messaging.Message {
	tooLong := strings.Repeat("x", messaging.MaxHeaderNameBytes+1)
	own := map[string]any{}
	own["own"] = own
	headers := func(value any) messaging.Message {
		return messaging.Message{Headers: map[string]any{"name": value}}
	}
	return map[string]messaging.Message{
		"id":               {ID: tooLong},
		"type":             {Type: tooLong},
		"app id":           {AppID: tooLong},
		"content type":     {ContentType: tooLong},
		"content encoding": {ContentEncoding: tooLong},
		"correlation id":   {CorrelationID: tooLong},
		"reply to":         {ReplyTo: tooLong},
		"negative TTL":     {TTL: -time.Second},
		"header name":      {Headers: map[string]any{tooLong: ""}},
		"inner name":       headers(map[string]any{tooLong: ""}),
		"large headers":    headers(strings.Repeat("x", messaging.MaxHeadersBytes)),
		"struct":           headers(struct{}{}),
		"inner channel":    headers([]any{map[string]any{"c": make(chan int)}}),
		"64 bits":          headers(uint64(math.MaxUint64)),
		"infinite":         headers(math.Inf(-1)),
		"not a number":     headers([]any{float32(math.NaN())}),
		"contains itself":  {Headers: own},
	}
}

func (t *tester) invalidQueues() map[string]messaging.Queue {
	change := func(f func(*messaging.Queue)) messaging.Queue {
		q := t.newQueue()
		f(&q)
		return q
	}
	return map[string]messaging.Queue{
		"no name":            change(func(q *messaging.Queue) { q.Name = "" }),
		"long name":          change(func(q *messaging.Queue) { q.Name = strings.Repeat("q", messaging.MaxHeaderNameBytes+1) }),
		"malformed name":     change(func(q *messaging.Queue) { q.Name += "\xff" }),
		"line break":         change(func(q *messaging.Queue) { q.Name += "\n" }),
		"long dead letter":   change(func(q *messaging.Queue) { q.DeadLetter = strings.Repeat("q", messaging.MaxHeaderNameBytes+1) }),
		"not durable":        change(func(q *messaging.Queue) { q.Durable = false }),
		"type":               change(func(q *messaging.Queue) { q.Type = "stream" }),
		"auto-delete quorum": change(func(q *messaging.Queue) { q.Type, q.AutoDelete = messaging.Quorum, true }),
		"expiry":             change(func(q *messaging.Queue) { q.Expiry = -time.Second }),
		"delivery limit":     change(func(q *messaging.Queue) { q.DeliveryLimit = -1 }),
	}
}

// testInvalid sends and declares invalid messages and queues. They are rejected, and valid calls at the same time succeed.
func testInvalid(t *tester) {
	b, q, received := t.connect(), t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	texts := numbers(200)
	published := inBackground(func() error {
		for _, text := range texts {
			if err := b.Publish(t.ctx, q.Name, newMessage(text)); err != nil {
				return err
			}
		}
		return nil
	})

	for name, m := range invalidMessages() {
		t.wantError("Publish of an invalid message: "+name, b.Publish(t.ctx, q.Name, m), messaging.ErrInvalidMessage)
		t.wantError("Send of an invalid message: "+name, b.Send(t.ctx, q.Name, m), messaging.ErrInvalidMessage)
	}
	for name, invalid := range t.invalidQueues() {
		t.wantError("Ensure of an invalid queue: "+name, b.Ensure(t.ctx, invalid), messaging.ErrInvalidQueue)
		_, err := b.Subscribe(t.ctx, invalid, received.handle)
		t.wantError("Subscribe to an invalid queue: "+name, err, messaging.ErrInvalidQueue)
	}
	large := newMessage("")
	large.Headers = map[string]any{"large": strings.Repeat("x", 200<<10)}
	t.wantError("Publish of 200 KiB of headers", b.Publish(t.ctx, q.Name, large), messaging.ErrHeadersTooLarge)

	if err := awaittest.Receive(t, published, "the valid messages"); err != nil {
		t.Fatalf("Publish of a valid message beside invalid ones: %v", err)
	}
	t.expect(received, texts...)
}

func testCancelledContext(t *tester) {
	b, q, received := t.connect(), t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	err := b.Publish(ctx, q.Name, newMessage("cancelled"))
	t.wantError("Publish", err, context.Canceled)
	if errors.Is(err, messaging.ErrUnconfirmed) {
		t.Errorf("Publish with a cancelled context handed the message over: %v", err)
	}
	t.wantError("Send", b.Send(ctx, q.Name, newMessage("cancelled")), context.Canceled)
	t.wantError("Ensure", b.Ensure(ctx, t.newQueue()), context.Canceled)
	_, err = b.Subscribe(ctx, q, newInbox().handle)
	t.wantError("Subscribe", err, context.Canceled)
	_, _, err = b.Inspect(ctx, q.Name)
	t.wantError("Inspect", err, context.Canceled)
	t.publish(b, q, "marker")
	t.expect(received, "marker")
}
