// Command article is a gateway and a service as tutorials show them: one connection with one channel, a declaration for
// each request, and an acknowledgement for each message.
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

// errClosed ends the process, since tutorials do not reconnect.
var errClosed = errors.New("connection closed by the broker")

type cli struct {
	BrokerURL string `env:"BROKER_URL" default:"amqp://guest:guest@127.0.0.1:5672/" help:"RabbitMQ."`

	Gateway gatewayCommand `cmd:"" help:"Turn HTTP requests into calls."`
	Service serviceCommand `cmd:"" help:"Reply to calls."`
}

func main() {
	var c cli
	ctx := kong.Parse(&c, kong.Description("Calls over RabbitMQ as tutorials make them."))
	ctx.FatalIfErrorf(ctx.Run(&c))
}

// connect connects, opens a channel and declares queue on it.
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
