package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/test/bench/internal/example"
	"example.com/warren/test/bench/internal/load"
)

type clientCommand struct {
	load.Options
	Bytes int `default:"${bytes}" help:"Expected size of a reply."`
}

var errWrongSize = errors.New("reply of the wrong size")

// client makes calls.
type client struct {
	publisher *publisher
	queues    queues
	bytes     int
	calls     atomic.Uint64

	mu      sync.Mutex
	pending map[string]chan<- int // by correlation ID; receives the size of the reply
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
	client := &client{publisher: publisher, queues: queues, bytes: c.Bytes, pending: map[string]chan<- int{}}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { cancel(handleAll(consuming, deliveries, client.receive)) }()
	return load.Report(ctx, c.Options, client.call)
}

func (c *client) call(ctx context.Context) error {
	id := c.publisher.newID(c.calls.Add(1))
	reply := make(chan int, 1)
	c.mu.Lock()
	c.pending[id] = reply
	c.mu.Unlock()

	err := c.publisher.request(ctx, c.queues.requests, amqp.Publishing{CorrelationId: id, ReplyTo: c.queues.replies})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	select {
	case size := <-reply:
		if size != c.bytes {
			return errWrongSize
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receive ends the run at a reply that no call waits for: it came twice, or to the wrong client.
func (c *client) receive(d amqp.Delivery) error {
	c.mu.Lock()
	reply, ok := c.pending[d.CorrelationId]
	delete(c.pending, d.CorrelationId)
	c.mu.Unlock()
	if !ok {
		return fmt.Errorf("no call waits for reply %q", d.CorrelationId)
	}
	reply <- len(d.Body)
	return nil
}

func vars() map[string]string { return map[string]string{"bytes": strconv.Itoa(example.Bytes)} }
