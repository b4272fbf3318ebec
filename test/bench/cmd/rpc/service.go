package main

import (
	"context"
	"fmt"

	"example.com/warren/pkg/rpc"
	"example.com/warren/test/bench/internal/example"
)

type serviceCommand struct{}

// Run is called by kong.
func (c *serviceCommand) Run(ctx context.Context, all *cli) error {
	broker, err := all.broker("bench-service")
	if err != nil {
		return err
	}
	defer closeBroker(broker)
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: "bench"})
	reply := &rpc.Reply{ContentType: "application/json", Body: example.JSON(all.Bytes)}
	for i := range all.Queues {
		server.Handle(all.queue(i), func(context.Context, *rpc.Request) (*rpc.Reply, error) { return reply, nil })
	}
	if err := server.Start(ctx); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}
