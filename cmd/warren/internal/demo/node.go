package demo

import (
	"context"
	"errors"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// errNoRabbitMQ stands in for rabbitmqnode's error: the node is the demo's own, whatever AMQP_URL says.
var errNoRabbitMQ = errors.New("no rabbitmq-server found: install RabbitMQ, as make rabbitmq does, " +
	"or run the demo without it, with --broker=inmem")

func startNode(ctx context.Context, folder string) (*rabbitmqtest.Node, error) {
	node, err := rabbitmqtest.Start(ctx, rabbitmqtest.Options{Dir: folder})
	if errors.Is(err, rabbitmqtest.ErrNotInstalled) {
		return nil, errNoRabbitMQ
	}
	return node, err
}
