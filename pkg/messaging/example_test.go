package messaging_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
)

// Subscribe to a queue and publish to it. The code depends on roles, so that it runs over any broker.
func Example() {
	ctx := context.Background()
	b := inmem.New()
	queue := messaging.Queue{Name: "mail.send", Durable: true}
	sent := make(chan struct{}, 2)

	consume := func(s messaging.Subscriber) error {
		_, err := s.Subscribe(ctx, queue, func(_ context.Context, m messaging.Message) error {
			fmt.Printf("mail to %s: %s\n", m.Headers["to"], m.Body)
			sent <- struct{}{}
			return nil
		}, messaging.WithPrefetch(10))
		return err
	}
	produce := func(p messaging.Publisher, to string) error {
		return p.Publish(ctx, queue.Name, messaging.Message{
			Headers:    map[string]any{"to": to},
			Body:       []byte("welcome"),
			Persistent: true,
		})
	}
	if err := errors.Join(consume(b), produce(b, "ada@example.com"), produce(b, "alan@example.com")); err != nil {
		fmt.Println(err)
		return
	}
	<-sent
	<-sent
	if err := b.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// mail to ada@example.com: welcome
	// mail to alan@example.com: welcome
}

// A handler that knows that another delivery cannot succeed rejects the message, which goes to the dead-letter queue.
func ExampleReject() {
	ctx := context.Background()
	b := inmem.New()
	dead := messaging.Queue{Name: "mail.send.dead", Durable: true}
	queue := messaging.Queue{Name: "mail.send", Durable: true, DeadLetter: dead.Name, DeliveryLimit: 5}
	_, err := b.Subscribe(ctx, queue, func(_ context.Context, m messaging.Message) error {
		if m.Headers["to"] == nil {
			return messaging.Reject(errors.New("no recipient"))
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	rejected := make(chan messaging.Message, 1)
	_, err = b.Subscribe(ctx, dead, func(_ context.Context, m messaging.Message) error {
		rejected <- m
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := b.Publish(ctx, queue.Name, messaging.Message{Body: []byte("welcome")}); err != nil {
		fmt.Println(err)
		return
	}
	m := <-rejected
	fmt.Printf("%s: %s\n", m.Headers["dead-letter-reason"], m.Body)
	if err := b.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: rejected: welcome
}

// Compare errors with errors.Is, and decide whether to try again.
func ExamplePublisher() {
	ctx := context.Background()
	b := inmem.New()
	err := b.Publish(ctx, "mail.send", messaging.Message{Body: []byte("welcome")})
	switch {
	case err == nil:
		fmt.Println("the broker has the message")
	case errors.Is(err, messaging.ErrUnroutable):
		fmt.Println("declare the queue first")
	case errors.Is(err, messaging.ErrUnavailable):
		fmt.Println("not sent: try again")
	case errors.Is(err, messaging.ErrUnconfirmed):
		fmt.Println("perhaps taken: try again only if the consumer is idempotent")
	}
	// Output: declare the queue first
}
