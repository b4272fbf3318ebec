// Package service is the chassis of a service: it reads the settings, connects to the broker, starts what the service's
// module needs in order, answers /livez, /readyz and /metrics, and stops all of it in order.
//
// A service describes itself with a Service value. Its Module is given, as fx dependencies:
//
//   - its own settings, as the pointer that Service.Config holds, and *Config, the settings that all services share
//   - *slog.Logger and prometheus.Registerer
//   - messaging.Broker, *rpc.Server and *rpc.Client
//   - Fail, for goroutines that can't go on
//
// The module registers its handlers in an fx.Invoke and closes its resources in fx.Lifecycle hooks. The server consumes
// once all start hooks of the module have run, and has drained before the first of its stop hooks runs. A client that
// the module asks for starts before those who asked for it, and is closed after them. Then the broker is closed, and last
// the admin listener.
//
// The context of a start hook ends when the service is told to stop; there is no other limit, since a service waits for
// its broker. The context of a stop hook ends with STOP_TIMEOUT.
package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"go.uber.org/fx"

	"example.com/warren/pkg/settings"
)

// Service describes one service to the chassis.
type Service struct {
	Name      string // e.g. "orders"
	AdminAddr string // the default of ADMIN_ADDR
	// Config points to the service's own settings: a struct whose fields carry kong's tags
	// (https://github.com/alecthomas/kong), among them env. If it has a method Validate() error, that is called when the
	// settings are read. nil: there are none.
	Config any
	Module fx.Option // what the service is made of
}

// The exit statuses of Main.
const (
	exitFailure = 1
	exitUsage   = 2
)

// Main runs the service with the process's environment and arguments until SIGINT or SIGTERM, and ends the process: with
// status 0 after an orderly stop, 1 after an error, 2 if the settings can't be used. A second signal ends it at once.
func Main(s Service) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// From the first signal on, signals do what they do by default.
	context.AfterFunc(ctx, stop)
	os.Exit(exitStatus(ctx, s, os.Args[1:], newOptions(nil))) //nolint:revive // a service's main consists of this call
}

func exitStatus(ctx context.Context, s Service, args []string, o options) int {
	config, err := parse(s, args, o.stdout)
	if errors.Is(err, settings.ErrPrinted) {
		return 0
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) { // one for each setting at fault
			_, _ = fmt.Fprintf(o.stderr, "%s: %s\n", s.Name, strings.TrimSpace(line))
		}
		return exitUsage
	}
	logger := newLogger(o.stderr, s.Name, config)
	if err := run(ctx, s, config, logger, o); err != nil {
		logger.ErrorContext(ctx, "service failed", "error", err)
		return exitFailure
	}
	return 0
}

// Run runs the service inside a process, with the process's environment and the flags in args, which override it. It
// returns when ctx has ended or something has failed, and all is stopped; the error is what went wrong. After --help and --version it returns at once, without an error.
func Run(ctx context.Context, s Service, args []string, options ...Option) error {
	o := newOptions(options)
	config, err := parse(s, args, o.stdout)
	if err == nil {
		err = run(ctx, s, config, newLogger(o.stderr, s.Name, config), o)
	} else if o.broker != nil {
		err = errors.Join(err, closeBroker(ctx, o.broker))
	}
	if err == nil || errors.Is(err, settings.ErrPrinted) {
		return nil
	}
	return fmt.Errorf("%s: %w", s.Name, err)
}
