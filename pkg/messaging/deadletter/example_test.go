package deadletter_test

import (
	"context"
	"fmt"
	"time"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/inmem"
)

// Put all dead-lettered messages back into the queues that they came from.
func ExampleBrowser() {
	ctx := context.Background()
	server := inmem.NewServer()
	b := server.Connect()
	for _, name := range []string{"orders.create", "orders.create.dead"} {
		if err := b.Ensure(ctx, messaging.Queue{Name: name, Durable: true}); err != nil {
			fmt.Println(err)
			return
		}
	}
	m := deadletter.Mark(messaging.Message{ID: "42"}, "orders.create", deadletter.ReasonDeliveryLimit, time.Now())
	if err := b.Publish(ctx, "orders.create.dead", m); err != nil {
		fmt.Println(err)
		return
	}
	if err := replay(ctx, server.Browse(), "orders.create.dead"); err != nil {
		fmt.Println(err)
	}
	// Output: replayed 42 to orders.create, given up on because of delivery-limit
}

func replay(ctx context.Context, b deadletter.Browser, queue string) error {
	defer b.Close()
	cursor, err := b.Open(ctx, queue)
	if err != nil {
		return err
	}
	for cursor.Next(ctx) {
		m := cursor.Message()
		death := deadletter.DeathOf(m)
		if err := b.Publish(ctx, death.Queue, deadletter.Revive(m)); err != nil {
			fmt.Println(err) // the message stays in the dead-letter queue
			continue
		}
		fmt.Printf("replayed %s to %s, given up on because of %s\n", m.ID, death.Queue, death.Reason)
		_ = cursor.Remove() // Close returns the error
	}
	return cursor.Close(ctx)
}
