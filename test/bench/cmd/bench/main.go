// Command bench measures calls over RabbitMQ, from amqp091-go alone to the whole gateway, and prints a table. Run it from the
// repository's root. test/bench/README.md explains the table.
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
	Table        tableCommand        `cmd:"" default:"withargs" help:"Measure the rows in turns and print a table."`
	Instructions instructionsCommand `cmd:"" help:"Count what programs do for a request, and compare with another commit."`
	Profile      profileCommand      `cmd:"" help:"Profile a gateway and a service under load."`
}

func main() {
	// The kernel kills the child processes when the thread that started them ends. The main thread does not end.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parsed := kong.Parse(&c, kong.Description("Measures calls over RabbitMQ."), kong.BindTo(ctx, (*context.Context)(nil)))
	parsed.FatalIfErrorf(parsed.Run())
}
