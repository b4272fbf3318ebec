// Command raw makes calls over RabbitMQ, and answers them, with amqp091-go alone: as fast as that goes, and with nothing
// that a real program needs besides. No deadline, no reconnect, no metrics.
package main

import "github.com/alecthomas/kong"

type cli struct {
	BrokerURL string `env:"BROKER_URL" default:"amqp://guest:guest@127.0.0.1:5672/" help:"RabbitMQ."`
	AsRPC     bool   `name:"as-rpc" help:"Send the properties and headers that messages of pkg/rpc have."`

	Client  clientCommand  `cmd:"" help:"Make calls and print how fast they were answered."`
	Service serviceCommand `cmd:"" help:"Answer calls."`
}

func main() {
	var c cli
	ctx := kong.Parse(&c, kong.Description("Calls over amqp091-go alone, as fast as they go."), kong.Vars(vars()))
	ctx.FatalIfErrorf(ctx.Run(&c))
}
