package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"example.com/warren/test/bench/internal/load"
)

type clientCommand struct{ load.Options }

// client makes calls.
type client struct {
	connection *connection
	bytes      int
	ids        atomic.Uint64
	pending    load.Pending
}

// Run is called by kong.
func (c *clientCommand) Run(all *cli) error {
	connection, err := dial(all.BrokerURL)
	if err != nil {
		return err
	}
	if err := connection.purge(replies); err != nil {
		return fmt.Errorf("purge %s: %w", replies, err)
	}
	client := &client{connection: connection, bytes: all.Bytes}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { cancel(connection.consume(replies, client.receive)) }()
	defer func() {
		connection.close()
		<-ctx.Done()
	}()
	return load.Report(ctx, c.Options, client.call)
}

func (c *client) call(ctx context.Context) error {
	id := strconv.FormatUint(c.ids.Add(1), 10)
	reply := c.pending.Add(id)
	c.connection.publish(requests, message{correlationID: id, replyTo: replies}, "", nil)
	return load.Await(ctx, reply, c.bytes)
}

func (c *client) receive(m message) error { return c.pending.Receive(m.correlationID, m.body) }
