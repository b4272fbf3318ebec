package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"example.com/warren/test/bench/internal/load"
)

type clientCommand struct{ load.Options }

var errWrongSize = errors.New("reply of the wrong size")

// client makes calls.
type client struct {
	connection *connection
	bytes      int
	ids        atomic.Uint64

	mu      sync.Mutex
	pending map[string]chan<- int // by correlation ID; receives the size of the reply
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
	client := &client{connection: connection, bytes: all.Bytes, pending: map[string]chan<- int{}}
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
	reply := make(chan int, 1)
	c.mu.Lock()
	c.pending[id] = reply
	c.mu.Unlock()
	c.connection.publish(requests, message{correlationID: id, replyTo: replies}, "", nil)
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
func (c *client) receive(m message) error {
	c.mu.Lock()
	reply, ok := c.pending[m.correlationID]
	delete(c.pending, m.correlationID)
	c.mu.Unlock()
	if !ok {
		return fmt.Errorf("no call waits for reply %q", m.correlationID)
	}
	reply <- m.body
	return nil
}
