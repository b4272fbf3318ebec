// Command warren is the tool of developers and operators: it runs the whole system on this machine, adds, removes and renames
// what a system consists of, calls methods, and looks after dead-lettered messages. warren --help lists its commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"example.com/warren/cmd/warren/internal/call"
	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/completion"
	"example.com/warren/cmd/warren/internal/console"
	"example.com/warren/cmd/warren/internal/create"
	"example.com/warren/cmd/warren/internal/dead"
	"example.com/warren/cmd/warren/internal/demo"
	"example.com/warren/cmd/warren/internal/describe"
	"example.com/warren/cmd/warren/internal/doctor"
	"example.com/warren/cmd/warren/internal/remove"
	"example.com/warren/cmd/warren/internal/rename"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/settings"
)

type commands struct {
	Demo     demo.Command        `cmd:"" help:"Run the whole system until Ctrl-C."`
	New      create.Command      `cmd:"" help:"Add a service or a method, or start a system."`
	Remove   remove.Command      `cmd:"" help:"Remove a service or a method."`
	Rename   rename.Command      `cmd:"" help:"Give the system its own module path and name."`
	Call     call.Command        `cmd:"" help:"Call a method over the broker."`
	Dead     dead.Command        `cmd:"" help:"List dead-lettered messages, replay them or drop them."`
	Console  console.Command     `cmd:"" help:"Serve a page that shows the requests of a running system, its queues and dead-lettered messages."`
	Doctor   doctor.Command      `cmd:"" help:"Check that the system can be built, tested and run here, and the broker of BROKER_URL."`
	Services describe.Command    `cmd:"" help:"Print the services and their settings as JSON, for programs."`
	Metrics  demo.MetricsCommand `cmd:"" hidden:"" help:"Print what the services measure as JSON, for programs."`

	Completion completion.Command `cmd:"" help:"Print the code that makes a shell complete the commands of warren."`

	Version kong.VersionFlag `help:"Print version and commit."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:]))
}

// The exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2 // bad input
)

func run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parser := kong.Must(&commands{},
		kong.Name("warren"),
		kong.Description("The developer's tool of Warren."),
		kong.Vars{"version": "warren " + service.ReadBuild().String()},
		settings.FromFiles(),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	completion.Register(parser)
	parsed, err := parser.Parse(args)
	if err == nil {
		err = parsed.Run()
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "warren:", err)
	if _, isUsage := errors.AsType[*kong.ParseError](err); isUsage || change.Refused(err) {
		return exitUsage
	}
	return exitFailure
}

// stopSignals returns the signals of Ctrl-C, kill and a closed terminal. The last one is left out if it is ignored, as
// nohup(1) asks for.
func stopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
