// Package doctor implements warren doctor, which checks that a system can be built, tested and run here.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"example.com/warren/cmd/warren/internal/broker"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/service"
)

// Command is warren doctor.
type Command struct {
	Broker service.BrokerConfig `embed:""`
}

// Help implements kong.HelpProvider.
func (*Command) Help() string {
	return "A line begins with ok, warn or fail, or with - if something was not checked. The exit status is 1 after a fail. " +
		"The services' settings come from the environment. The broker is checked if BROKER_URL is set. Example:\n\n" +
		"  BROKER_URL=amqp://guest:guest@127.0.0.1:5672/ warren doctor"
}

// The levels of findings.
const (
	ok        = "ok"
	warn      = "warn"
	fail      = "fail"
	unchecked = "-"
)

// finding is one line of the report: what was found and, unless that is ok, what to do.
type finding struct{ level, subject, text string }

func one(level, subject, format string, args ...any) []finding {
	return []finding{{level, subject, fmt.Sprintf(format, args...)}}
}

// machine is what the checks look at.
type machine struct {
	checkout fs.FS
	services []service.Service
	broker   *rabbitmq.Options // nil: BROKER_URL is not set

	run     func(ctx context.Context, program string, args ...string) (out string, err error)
	findCtl func() (rabbitmqctl string, err error)
	inspect func(context.Context, rabbitmq.Options) (inspector, error)
}

// inspector is a [rabbitmq.Inspector].
type inspector interface {
	User() string
	Version() string
	Difference(ctx context.Context, q messaging.Queue) (string, error)
	RoundTrip(ctx context.Context, queue string, others ...string) (time.Time, error)
	Close()
}

// Run prints the report.
func (c *Command) Run(ctx context.Context, k *kong.Context) error {
	m, err := newMachine()
	if err != nil {
		return err
	}
	isFlag := func(arg string) bool { return strings.HasPrefix(arg, "--broker-url") }
	if slices.ContainsFunc(k.Args, isFlag) || os.Getenv("BROKER_URL")+os.Getenv("BROKER_URL_FILE") != "" {
		options, err := broker.Options(&c.Broker, "doctor")
		if err != nil {
			return err
		}
		m.broker = &options
	}
	return m.report(ctx, k.Stdout)
}

var errFailed = errors.New("a check failed")

// report prints each finding as soon as it is there. The error is errFailed after a fail.
func (m machine) report(ctx context.Context, out io.Writer) error {
	var failed error
	for _, check := range []func(machine, context.Context) []finding{
		machine.checkGo, machine.checkCompiler, machine.checkPorts, machine.checkFiles, machine.checkRabbitMQ, machine.checkBroker,
	} {
		for _, f := range check(m, ctx) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if f.level == fail {
				failed = errFailed
			}
			if _, err := fmt.Fprintf(out, "%-4s  %-10s  %s\n", f.level, f.subject, f.text); err != nil {
				return err
			}
		}
	}
	return failed
}
