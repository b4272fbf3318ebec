// Package rabbitmqtest starts private RabbitMQ nodes and clusters, and has what tests need to break a connection to them: a
// proxy and a certificate authority. No production package imports it.
//
// A node has its own folder, cookie and loopback ports, independent of any broker that the machine already runs. It needs
// an installed RabbitMQ. On Linux it is killed when the process that started it ends.
//
// epmd, Erlang's port mapper, is started by the first node of a machine, shared by all nodes, and left running.
package rabbitmqtest

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
