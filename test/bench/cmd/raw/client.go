package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/test/bench/internal/example"
	"example.com/warren/test/bench/internal/load"
)

type clientCommand struct {
	load.Options
	Bytes int `default:"${bytes}" help:"Expected size of a reply."`
}

// client makes calls.
type client struct {
	publisher *publisher
	queues    queues
	bytes     int
	calls     atomic.Uint64
	pending   load.Pending
}

// Run is called by kong.
func (c *clientCommand) Run(all *cli) error {
	connection, err := dial(all.BrokerURL)
	if err != nil {
		return err
	}
	defer connection.Close()
	queues := all.queues()
	publishing, err := open(connection, queues.requests)
	if err != nil {
		return err
	}
	consuming, err := open(connection, queues.replies)
	if err != nil {
		return err
	}
	publisher, err := all.newPublisher(publishing)
	if err != nil {
		return err
	}
	// The broker redelivers the last replies to an earlier client that ended before it had acknowledged them.
	if _, err := consuming.QueuePurge(queues.replies, false); err != nil {
		return fmt.Errorf("purge %s: %w", queues.replies, err)
	}
	deliveries, err := consume(consuming, queues.replies)
	if err != nil {
		return err
	}
	client := &client{publisher: publisher, queues: queues, bytes: c.Bytes}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { cancel(handleAll(consuming, deliveries, client.receive)) }()
	return load.Report(ctx, c.Options, client.call)
}

func (c *client) call(ctx context.Context) error {
	id := c.publisher.newID(c.calls.Add(1))
	reply := c.pending.Add(id)
	err := c.publisher.request(ctx, c.queues.requests, amqp.Publishing{CorrelationId: id, ReplyTo: c.queues.replies})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return load.Await(ctx, reply, c.bytes)
}

func (c *client) receive(d amqp.Delivery) error {
	return c.pending.Receive(d.CorrelationId, len(d.Body))
}

func vars() map[string]string { return map[string]string{"bytes": strconv.Itoa(example.Bytes)} }
