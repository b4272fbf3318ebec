package inmem_test

import (
	"context"
	"fmt"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
)

// Two services, each with a connection of its own.
func ExampleServer() {
	ctx := context.Background()
	server := inmem.NewServer()
	orders, mail := server.Connect(), server.Connect()

	queue := messaging.Queue{Name: "mail.orderCreated", Durable: true}
	done := make(chan struct{})
	_, err := mail.Subscribe(ctx, queue, func(_ context.Context, m messaging.Message) error {
		defer close(done)
		fmt.Printf("%s from %s\n", m.Body, m.AppID)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := messaging.Message{AppID: "orders", Body: []byte("order 42"), Persistent: true}
	if err := orders.Publish(ctx, queue.Name, m); err != nil {
		fmt.Println(err)
		return
	}
	<-done
	for _, b := range []*inmem.Broker{orders, mail} {
		if err := b.Close(ctx); err != nil {
			fmt.Println(err)
		}
	}
	// Output: order 42 from orders
}
