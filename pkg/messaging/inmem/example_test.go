package inmem_test

import (
	"context"
	"fmt"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
)

// Two services of one process, each with its own connection to the same server.
func ExampleServer() {
	ctx := context.Background()
	server := inmem.NewServer()
	orders, mail := server.ConnectAs("orders"), server.ConnectAs("mail")

	queue := messaging.Queue{Name: "mail.orderCreated", Durable: true}
	done := make(chan struct{})
	_, err := mail.Subscribe(ctx, queue, func(_ context.Context, m messaging.Message) error {
		defer close(done)
		fmt.Printf("%s from %s\n", m.Body, m.UserID)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := orders.Publish(ctx, queue.Name, messaging.Message{Body: []byte("order 42"), Persistent: true}); err != nil {
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
