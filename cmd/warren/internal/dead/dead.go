// Package dead implements warren dead, which lists, shows, replays and drops the messages in dead-letter queues. Listing and
// showing change nothing, and no message is lost if a command is interrupted.
//
// Each command runs over a deadletter.Browser: that of RabbitMQ, or that of the in-memory broker of a running warren demo. In
// the second case warren sends the command to the demo's process, which runs it; see [Serve].
package dead

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"example.com/warren/cmd/warren/internal/broker"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/service"
)

// Command is warren dead.
type Command struct {
	Broker service.BrokerConfig `embed:""`
	Demo   string               `placeholder:"SOCKET" help:"Use the in-memory broker of a running warren demo, which prints its socket, instead of RabbitMQ."`

	List   listCommand   `cmd:"" help:"List the messages of dead-letter queues."`
	Show   showCommand   `cmd:"" help:"Show all of one message."`
	Replay replayCommand `cmd:"" help:"Put messages back into the method's queue. No caller waits for the replies any more."`
	Drop   dropCommand   `cmd:"" help:"Drop messages for good."`

	browser deadletter.Browser // of the process that serves the command; nil otherwise
}

// console is the terminal or the pipes of a command.
type console struct {
	in          io.Reader
	interactive bool // in is a terminal
	out, notes  io.Writer
}

// say writes to the user. An error means that no user reads.
func (c console) say(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format, args...) }

// browse runs f with a browser, or has the process at the demo's socket run the whole command.
func (c *Command) browse(ctx context.Context, k *kong.Context, f func(deadletter.Browser, console) error) error {
	terminal := console{out: k.Stdout, notes: k.Stderr}
	if c.browser != nil {
		return f(c.browser, terminal)
	}
	if c.Demo != "" {
		return forward(ctx, c.Demo, k.Args, terminal)
	}
	terminal.in, terminal.interactive = os.Stdin, isatty.IsTerminal(os.Stdin.Fd())
	options, err := broker.Options(&c.Broker, "dead")
	if err != nil {
		return err
	}
	b, err := rabbitmq.NewBrowser(ctx, options)
	if err != nil {
		return broker.OneLine(err)
	}
	defer b.Close()
	return f(b, terminal)
}

const suffix = ".dead"

// deadLetterQueue takes the name of a method or of its dead-letter queue.
func deadLetterQueue(name string) string {
	if strings.HasSuffix(name, suffix) {
		return name
	}
	return name + suffix
}

// closeCursor closes the cursor after a command that failed with err, or with nil.
func closeCursor(ctx context.Context, cursor deadletter.Cursor, queue string, err error, c console) error {
	closeErr := cursor.Close(ctx)
	if n := cursor.Renewed(); n > 0 {
		_, _ = fmt.Fprintf(c.notes, "%s: copied %s to the end of the queue, where RabbitMQ counts their deliveries anew.\n"+
			"It drops what was delivered 20 times, and each list, show, replay or drop is a delivery.\n", queue, count(n))
	}
	if err != nil {
		return err
	}
	return closeErr
}

// count returns "1 message" or "n messages".
func count(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}
