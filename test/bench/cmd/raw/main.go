// Command raw makes calls over RabbitMQ and replies to them with amqp091-go alone, as fast as the library can, and without
// what a real program needs: deadlines, reconnects, metrics.
package main

import "github.com/alecthomas/kong"

type cli struct {
	BrokerURL string `env:"BROKER_URL" default:"amqp://guest:guest@127.0.0.1:5672/" help:"RabbitMQ."`
	AsRPC     bool   `name:"as-rpc" help:"Send the properties and headers that messages of pkg/rpc have."`

	Client  clientCommand  `cmd:"" help:"Make calls and print rates and latencies."`
	Service serviceCommand `cmd:"" help:"Reply to calls."`
}

func main() {
	var c cli
	ctx := kong.Parse(&c, kong.Description("Calls over amqp091-go alone."), kong.Vars(vars()))
	ctx.FatalIfErrorf(ctx.Run(&c))
}
