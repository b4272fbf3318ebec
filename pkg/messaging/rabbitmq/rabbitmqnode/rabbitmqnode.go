// Package rabbitmqnode runs private RabbitMQ nodes for tests and demonstrations. A node has a folder, a cookie and
// loopback ports of its own, and knows nothing of a broker that the machine runs anyway. It needs an installed
// RabbitMQ; on Linux it dies with the process that started it.
//
// epmd, Erlang's port mapper, is started by the first node of a machine, shared by all, and left running.
package rabbitmqnode

import (
	"context"
	"os"
)

// FindOrStart returns the broker that the environment names in AMQP_URL, or else starts a private node. release stops
// what was started, and must be called either way.
func FindOrStart(ctx context.Context, options Options) (url string, release func() error, err error) {
	if url := os.Getenv("AMQP_URL"); url != "" {
		return url, func() error { return nil }, nil
	}
	node, err := Start(ctx, options)
	if err != nil {
		return "", nil, err
	}
	return node.URL(), node.Close, nil
}
