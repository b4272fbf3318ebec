// Command minimal makes calls over RabbitMQ and replies to them with the fewest bytes and steps of AMQP 0-9-1, and without
// an AMQP library. The difference to command raw is the cost of the library. It does not handle errors of the broker.
package main

import (
	"strconv"

	"github.com/alecthomas/kong"

	"example.com/warren/test/bench/internal/example"
)

type cli struct {
	BrokerURL string `env:"BROKER_URL" default:"amqp://guest:guest@127.0.0.1:5672/" help:"RabbitMQ."`
	Bytes     int    `default:"${bytes}" help:"Size of a reply."`

	Client  clientCommand  `cmd:"" help:"Make calls and print rates and latencies."`
	Service serviceCommand `cmd:"" help:"Reply to calls."`
}

func main() {
	var c cli
	ctx := kong.Parse(&c, kong.Description("Calls over AMQP 0-9-1 without a library."),
		kong.Vars{"bytes": strconv.Itoa(example.Bytes)})
	ctx.FatalIfErrorf(ctx.Run(&c))
}
