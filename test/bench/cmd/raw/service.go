package main

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/test/bench/internal/example"
)

type serviceCommand struct {
	Bytes int `default:"${bytes}" help:"Size of a reply."`
}

// Run is called by kong.
func (c *serviceCommand) Run(all *cli) error {
	connection, err := dial(all.BrokerURL)
	if err != nil {
		return err
	}
	queues := all.queues()
	publishing, err := open(connection, queues.replies)
	if err != nil {
		return err
	}
	consuming, err := open(connection, queues.requests)
	if err != nil {
		return err
	}
	publisher, err := all.newPublisher(publishing)
	if err != nil {
		return err
	}
	deliveries, err := consume(consuming, queues.requests)
	if err != nil {
		return err
	}
	body := example.JSON(c.Bytes)
	return handleAll(consuming, deliveries, func(d amqp.Delivery) error {
		return publisher.reply(context.Background(), d.ReplyTo,
			amqp.Publishing{CorrelationId: d.CorrelationId, ContentType: "application/json", Body: body})
	})
}
