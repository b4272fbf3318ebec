// Package service is the chassis of a service. It reads the settings, connects to the broker, starts what the service
// consists of, answers probes, serves metrics, and stops everything in order.
//
// # Writing a service
//
// A service describes itself with a [Service] value, which its main function passes to [Main]. The example of this
// package is a whole service. Package [servicetest] runs a service in a test.
//
// [Service.Config] holds the service's own settings; package [settings] explains how to declare one. [Config] holds the
// settings that every service has. The flag --help lists both, and --version prints the version and the commit.
//
// # What a module is given
//
// [Service.Module] is an option of [fx]. Its constructors and invokes may depend on:
//   - the service's own settings, as the pointer that Service.Config holds, and [*Config]
//   - [*slog.Logger], [prometheus.Registerer] and [trace.TracerProvider]
//   - [*rpc.Server] to register methods with, and [*rpc.Client] to call the methods of other services
//   - [messaging.Broker], or the role that is needed: [messaging.Publisher], [messaging.Sender] or [messaging.Subscriber]
//   - [Fail], for goroutines that cannot continue
//
// A module adds to /readyz with [ProvideHealthCheck].
//
// A client is created, with its callback queue, only if the module depends on one.
//
// # Start and stop
//
// The chassis starts, in this order, the admin listener (/livez, /readyz and /metrics), the module's start hooks in the
// order of fx, and the server, which then consumes. The service is ready once all of them have returned. The stop runs
// backwards: the server drains first, then the stop hooks run, the broker is closed, and the admin listener ends last.
//
// The context of a start hook ends when the service is told to stop. It has no other limit, since a service waits for
// its broker. For a database that is away it waits too: a start hook is called again, with pauses, while its error has a
// method Temporary() bool that returns true. The context of a stop hook ends after STOP_TIMEOUT, which all stop hooks share.
//
// Traces are on if the environment says so, see package [telemetry]. The spans that are left are exported last.
//
// [telemetry]: https://pkg.go.dev/example.com/warren/pkg/telemetry
// [trace.TracerProvider]: https://pkg.go.dev/go.opentelemetry.io/otel/trace#TracerProvider
// [servicetest]: https://pkg.go.dev/example.com/warren/pkg/service/servicetest
// [fx]: https://pkg.go.dev/go.uber.org/fx
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"go.uber.org/fx"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/settings"
)

// Service describes one service to the chassis.
type Service struct {
	Name      string    // prefix of its queues and settings, e.g. "orders"
	AdminAddr string    // default of ADMIN_ADDR
	Config    any       // pointer to the struct of its settings; nil: none
	Module    fx.Option // what the service consists of
	Calls     []string  // names of the services that it calls; make generate gives it the broker permissions to do so
	Examples  []Example // of what it does, in the order in which a user tries them
}

// Example is a request to the gateway that shows what a service does. The demo prints it as a command for the user demo,
// whose data the service adds if DEMO_DATA is set.
type Example struct {
	Shows     string   // what a user sees, e.g. "a new order"; ends with "repeated, 409" if a repetition has another status
	Status    int      // of the response
	Method    string   // of HTTP
	Path      string   // below /v1, with a query if any, e.g. "/orders?limit=5"
	Headers   []string // beside Authorization and Content-Type, e.g. "Idempotency-Key: first"
	Body      string   // JSON; empty: none
	Anonymous bool     // no token is sent
}

// The exit statuses of Main.
const (
	exitFailure = 1
	exitUsage   = 2
)

// Main runs the service with the process's environment and arguments until SIGINT or SIGTERM, and ends the process. The
// status is 0 after an orderly stop, 1 after an error, and 2 if the settings are unusable. A second signal ends the
// process at once.
func Main(s Service) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)                              // the second signal has its default effect
	os.Exit(exitStatus(ctx, s, os.Args[1:], newOptions(nil))) //nolint:revive // a service's main consists of this call
}

func exitStatus(ctx context.Context, s Service, args []string, o options) int {
	config, err := parse(s, args, o.stdout)
	if errors.Is(err, settings.ErrPrinted) {
		return 0
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) { // one for each wrong setting
			_, _ = fmt.Fprintf(o.stderr, "%s: %s\n", s.Name, strings.TrimSpace(line))
		}
		return exitUsage
	}
	logger, flush := newLogger(o.stderr, s.Name, config)
	defer flush()
	if err := run(ctx, s, config, logger, o); err != nil {
		logger.ErrorContext(ctx, "service failed", "error", err)
		return exitFailure
	}
	return 0
}

// Run runs the service inside a process, with the process's environment and the flags in args, which override it. Run
// returns once ctx has ended or something has failed, and everything is stopped. After --help and --version it returns
// nil at once.
func Run(ctx context.Context, s Service, args []string, list ...Option) error {
	o := newOptions(list)
	config, err := parse(s, args, o.stdout)
	if err == nil {
		logger, flush := newLogger(o.stderr, s.Name, config)
		defer flush()
		err = run(ctx, s, config, logger, o)
	} else if o.broker != nil {
		err = errors.Join(err, closeBroker(ctx, o.broker))
	}
	if err == nil || errors.Is(err, settings.ErrPrinted) {
		return nil
	}
	return fmt.Errorf("%s: %w", s.Name, err)
}

// Option changes how Run runs a service.
type Option func(*options)

type options struct {
	broker         messaging.Broker
	stdout, stderr io.Writer
	ready          func(Info)
}

func newOptions(list []Option) options {
	o := options{stdout: os.Stdout, stderr: os.Stderr, ready: func(Info) {}}
	for _, option := range list {
		option(&o)
	}
	return o
}

// WithBroker makes the service use b instead of the broker at BROKER_URL. Run closes b in every case.
func WithBroker(b messaging.Broker) Option { return func(o *options) { o.broker = b } }

// WithOutput sets where --help and --version print, and where the log goes. The default is the process's output.
func WithOutput(stdout, stderr io.Writer) Option {
	return func(o *options) { o.stdout, o.stderr = stdout, stderr }
}

// WithReady calls f once, when the service has started. f must not block.
func WithReady(f func(Info)) Option { return func(o *options) { o.ready = f } }

// Info describes a running service.
type Info struct {
	AdminAddr string // address of the admin listener, with the actual port; empty: no listener
}
