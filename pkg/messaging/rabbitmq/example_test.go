package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
)

// connect returns a broker for an example, once it is ready.
func connect(ctx context.Context) *rabbitmq.Broker {
	broker, err := rabbitmq.New(rabbitmq.Options{
		URLs:   []string{rabbitmq.BrokerURL()}, // such as amqp://guest:guest@localhost:5672/
		Name:   "example",
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	awaitReady(ctx, broker)
	return broker
}

func awaitReady(ctx context.Context, broker *rabbitmq.Broker) {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for broker.Ready() != nil && ctx.Err() == nil {
		<-poll.C
	}
}

func closeBroker(ctx context.Context, broker *rabbitmq.Broker) {
	if err := broker.Close(ctx); err != nil {
		fmt.Println(err)
	}
}

// New returns at once. Ready says when the broker is reached, and Close drains the subscriptions.
func ExampleNew() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	broker, err := rabbitmq.New(rabbitmq.Options{
		URLs:   []string{rabbitmq.BrokerURL()}, // such as amqp://guest:guest@localhost:5672/
		Name:   "orders",                       // shown in RabbitMQ's management
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for broker.Ready() != nil && ctx.Err() == nil {
		<-poll.C
	}
	fmt.Println("ready:", broker.Ready() == nil)

	if err := broker.Close(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println("closed:", errors.Is(broker.Ready(), messaging.ErrClosed))

	// Output:
	// ready: true
	// closed: true
}

// Publish waits for the broker's confirm, so it can tell that no queue takes the message.
func ExampleBroker_Publish() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	broker := connect(ctx)
	defer closeBroker(ctx, broker)

	queue := messaging.Queue{Name: "example.publish", Durable: true, Expiry: time.Minute}
	subscription, err := broker.Subscribe(ctx, queue, func(context.Context, messaging.Message) error { return nil })
	if err != nil {
		fmt.Println(err)
		return
	}

	message := messaging.Message{ContentType: "text/plain", Body: []byte("hello"), Persistent: true}
	fmt.Println("confirmed:", broker.Publish(ctx, queue.Name, message) == nil)

	err = broker.Publish(ctx, "example.missing", message)
	fmt.Println("unroutable:", errors.Is(err, messaging.ErrUnroutable))

	if err := subscription.Drain(ctx); err != nil {
		fmt.Println(err)
	}

	// Output:
	// confirmed: true
	// unroutable: true
}

// A handler acknowledges a message by returning nil. A rejected message goes to the dead-letter queue.
func ExampleBroker_Subscribe() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	broker := connect(ctx)
	defer closeBroker(ctx, broker)

	queue := messaging.Queue{Name: "example.orders", Durable: true, Expiry: time.Minute, DeadLetter: "example.orders.dead"}
	handle := func(_ context.Context, m messaging.Message) error {
		if string(m.Body) != "order" {
			return messaging.Reject(errors.New("not an order"))
		}
		fmt.Println("handled:", string(m.Body))
		return nil
	}
	if _, err := broker.Subscribe(ctx, queue, handle, messaging.WithPrefetch(100)); err != nil {
		fmt.Println(err)
		return
	}

	dead := make(chan string)
	bury := func(_ context.Context, m messaging.Message) error {
		dead <- string(m.Body)
		return nil
	}
	if _, err := broker.Subscribe(ctx, messaging.Queue{Name: queue.DeadLetter, Durable: true}, bury); err != nil {
		fmt.Println(err)
		return
	}

	for _, body := range []string{"order", "noise"} {
		if err := broker.Publish(ctx, queue.Name, messaging.Message{Body: []byte(body)}); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("dead-lettered:", <-dead)

	// Output:
	// handled: order
	// dead-lettered: noise
}
