// Command warren is the developer's and the operator's tool. warren demo runs the whole system on this machine; warren
// dead looks after the messages that services have given up on.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"example.com/warren/cmd/warren/internal/dead"
	"example.com/warren/cmd/warren/internal/demo"
	"example.com/warren/cmd/warren/internal/describe"
)

type commands struct {
	Demo demo.Command `cmd:"" help:"Run the whole system until Ctrl-C."`
	Dead dead.Command `cmd:"" help:"Look at the messages in dead-letter queues, replay them or drop them."`

	Services describe.Command `cmd:"" help:"Print the services and their settings as JSON, for programs."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	parsed := kong.Parse(&commands{},
		kong.Name("warren"),
		kong.Description("The developer's tool of Warren."),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "warren:", err)
		os.Exit(1)
	}
}

// stopSignals are Ctrl-C, kill, and the closing of the terminal, unless nohup(1) said not to mind that one.
func stopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
