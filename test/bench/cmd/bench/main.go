// Command bench measures calls over RabbitMQ, from amqp091-go alone to the whole gateway, and prints a table. It is run from the
// root of the repository; README.md of the module tells how to read what it prints.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli are the commands.
type cli struct {
	Table   tableCommand   `cmd:"" default:"withargs" help:"Measure the rows in turns and print a table."`
	Profile profileCommand `cmd:"" help:"Profile a gateway and a service under load."`
}

func main() {
	// The kernel ends the children with the thread that started them: the main one lasts.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parsed := kong.Parse(&c, kong.Description("Measures calls over RabbitMQ."), kong.BindTo(ctx, (*context.Context)(nil)))
	parsed.FatalIfErrorf(parsed.Run())
}
