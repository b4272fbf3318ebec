package main

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/test/bench/internal/example"
)

type serviceCommand struct{}

// Run is called by kong.
func (*serviceCommand) Run(all *cli) error {
	channel, err := connect(all.BrokerURL, requests)
	if err != nil {
		return err
	}
	if err := channel.Qos(1, 0, false); err != nil {
		return fmt.Errorf("set the prefetch: %w", err)
	}
	deliveries, err := channel.Consume(requests, "", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume %s: %w", requests, err)
	}
	body := example.JSON(example.Bytes)
	for d := range deliveries {
		if err := reply(channel, d, body); err != nil {
			return err
		}
	}
	return errClosed
}

func reply(channel *amqp.Channel, d amqp.Delivery, body []byte) error {
	err := channel.PublishWithContext(context.Background(), "", d.ReplyTo, false, false,
		amqp.Publishing{CorrelationId: d.CorrelationId, ContentType: "application/json", Body: body})
	if err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	if err := d.Ack(false); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}
