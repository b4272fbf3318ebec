// Command article is the gateway and the service that one writes from tutorials: one connection with one channel, a
// declaration for each request, an acknowledgement for each message.
package main

import (
	"errors"
	"fmt"

	"github.com/alecthomas/kong"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	requests = "article.requests"
	replies  = "article.replies"
)

// errClosed ends the process: the tutorials don't reconnect.
var errClosed = errors.New("the broker closed the connection")

type cli struct {
	BrokerURL string `env:"BROKER_URL" default:"amqp://guest:guest@127.0.0.1:5672/" help:"RabbitMQ."`

	Gateway gatewayCommand `cmd:"" help:"Turn HTTP requests into calls."`
	Service serviceCommand `cmd:"" help:"Answer calls."`
}

func main() {
	var c cli
	ctx := kong.Parse(&c, kong.Description("Calls over RabbitMQ as tutorials make them."))
	ctx.FatalIfErrorf(ctx.Run(&c))
}

// connect returns a channel on which queue exists.
func connect(url, queue string) (*amqp.Channel, error) {
	connection, err := amqp.Dial(url)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	channel, err := connection.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	if _, err := channel.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		return nil, fmt.Errorf("declare %s: %w", queue, err)
	}
	return channel, nil
}
