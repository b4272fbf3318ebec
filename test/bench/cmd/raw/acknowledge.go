package main

import (
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// ackBatch is how many deliveries one acknowledgement covers, well below the prefetch.
	ackBatch = 100
	// ackDelay is how long deliveries wait for the batch to fill.
	ackDelay = 10 * time.Millisecond
)

var errClosed = errors.New("connection closed by the broker")

// handleAll handles deliveries in sequence and acknowledges them in batches, until the connection is lost.
func handleAll(channel *amqp.Channel, deliveries <-chan amqp.Delivery, handle func(amqp.Delivery) error) error {
	tick := time.NewTicker(ackDelay)
	defer tick.Stop()
	var last uint64
	handled := 0
	for {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return errClosed
			}
			if err := handle(d); err != nil {
				return err
			}
			last = d.DeliveryTag
			handled++
			if handled < ackBatch {
				continue
			}
		case <-tick.C:
			if handled == 0 {
				continue
			}
		}
		if err := channel.Ack(last, true); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
		handled = 0
	}
}
