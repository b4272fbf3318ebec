package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
	"example.com/warren/test/bench/internal/load"
)

type clientCommand struct {
	load.Options
	Pending int `help:"Calls that stay pending during the load."`
}

// firstCalls bounds the concurrent first calls to queues.
const firstCalls = 64

var errWrongReply = errors.New("reply of the wrong status or size")

// Run is called by kong.
func (c *clientCommand) Run(ctx context.Context, all *cli) error {
	broker, err := all.broker("bench-client")
	if err != nil {
		return err
	}
	defer closeBroker(broker)
	const unlimited = 1 << 20
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "bench", MaxPending: unlimited, MaxPendingPerQueue: unlimited})
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("start the client: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.Pending > 0 {
		if c.PendingBytes, err = hold(ctx, client, all.Prefix+".unserved", c.Pending); err != nil {
			return err
		}
		// This call queues behind the pending ones. Once its reply is here, the broker has taken most of them.
		if _, err := client.Do(ctx, &rpc.Request{Queue: all.queue(0), Deadline: time.Now().Add(holdWithin)}); err != nil {
			return fmt.Errorf("call behind %d pending ones: %w", c.Pending, err)
		}
	}
	queues := make([]string, all.Queues)
	for i := range queues {
		queues[i] = all.queue(i)
	}
	call := func(ctx context.Context, queue string) error {
		reply, err := client.Do(ctx, &rpc.Request{Queue: queue})
		if err != nil {
			return err
		}
		if reply.Status != http.StatusOK || len(reply.Body) != all.Bytes {
			return errWrongReply
		}
		return nil
	}
	// The first call to a queue declares it. A program does that once, so it is not measured.
	first, firstCtx := errgroup.WithContext(ctx)
	first.SetLimit(firstCalls)
	for _, queue := range queues {
		first.Go(func() error { return call(firstCtx, queue) })
	}
	if err := first.Wait(); err != nil {
		return fmt.Errorf("call each queue once: %w", err)
	}
	var calls atomic.Int64
	return load.Report(ctx, c.Options, func(ctx context.Context) error {
		return call(ctx, queues[int(calls.Add(1))%len(queues)])
	})
}

// closeBroker closes the connections gracefully. Otherwise the broker logs them as lost, and the benchmark counts them.
func closeBroker(broker messaging.Broker) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = broker.Close(ctx) // all calls have their replies
}
