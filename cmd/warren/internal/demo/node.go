package demo

import (
	"context"
	"errors"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// errNoRabbitMQ replaces the error of rabbitmqtest, which proposes AMQP_URL: the demo always starts its own node.
var errNoRabbitMQ = errors.New("no rabbitmq-server found: install RabbitMQ, as make rabbitmq does, " +
	"or run the demo without it, with --broker=inmem")

func startNode(ctx context.Context, folder string) (*rabbitmqtest.Node, error) {
	node, err := rabbitmqtest.Start(ctx, rabbitmqtest.Options{Dir: folder})
	if errors.Is(err, rabbitmqtest.ErrNotInstalled) {
		return nil, errNoRabbitMQ
	}
	return node, err
}
