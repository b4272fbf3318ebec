// Command rpc makes calls over RabbitMQ and replies to them with pkg/rpc, as services do.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/test/bench/internal/example"
)

type cli struct {
	BrokerURL string `env:"BROKER_URL" default:"amqp://guest:guest@127.0.0.1:5672/" help:"RabbitMQ."`
	Prefix    string `default:"bench" help:"Prefix of the names of the queues."`
	Queues    int    `default:"1" help:"Number of methods, each with its own request queue."`
	Bytes     int    `default:"${bytes}" help:"Size of a reply."`

	Client  clientCommand  `cmd:"" help:"Make calls and print rates and latencies."`
	Service serviceCommand `cmd:"" help:"Reply to calls."`
}

func main() {
	signals, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	ctx := kong.Parse(&c, kong.Description("Calls over pkg/rpc."), kong.Vars{"bytes": strconv.Itoa(example.Bytes)},
		kong.BindTo(signals, (*context.Context)(nil)))
	ctx.FatalIfErrorf(ctx.Run(&c))
}

func (c *cli) broker(name string) (*rabbitmq.Broker, error) {
	return rabbitmq.New(rabbitmq.Options{URLs: []string{c.BrokerURL}, Name: name})
}

// queue returns the queue of the ith method.
func (c *cli) queue(i int) string { return fmt.Sprintf("%s.get%d", c.Prefix, i) }
