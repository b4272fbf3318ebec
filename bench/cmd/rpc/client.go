package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/warren/bench/internal/load"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
)

type clientCommand struct {
	load.Options
}

var errWrongReply = errors.New("a reply of the wrong status or size")

// Run is called by kong.
func (c *clientCommand) Run(ctx context.Context, all *cli) error {
	broker, err := all.broker("bench-client")
	if err != nil {
		return err
	}
	defer closeBroker(broker)
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "bench"})
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("start the client: %w", err)
	}
	var calls atomic.Int64
	return load.Report(ctx, c.Options, func(ctx context.Context) error {
		reply, err := client.Do(ctx, &rpc.Request{Queue: queue(int(calls.Add(1)) % all.Queues)})
		if err != nil {
			return err
		}
		if reply.Status != http.StatusOK || len(reply.Body) != all.Bytes {
			return errWrongReply
		}
		return nil
	})
}

// closeBroker ends the connections in order: the broker would complain of others.
func closeBroker(broker messaging.Broker) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = broker.Close(ctx) // all calls have their replies
}
