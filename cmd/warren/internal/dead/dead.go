// Package dead looks at the messages in dead-letter queues, puts them back where they came from, or drops them. Looking
// changes nothing, and nothing is lost if the command is interrupted.
package dead

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/service"
)

// Command is warren dead.
type Command struct {
	Broker service.BrokerConfig `embed:""`

	List   listCommand   `cmd:"" help:"List the messages of dead-letter queues."`
	Show   showCommand   `cmd:"" help:"Show all of one message."`
	Replay replayCommand `cmd:"" help:"Put messages back into the queues that they came from. Nobody is answered: their callers are long gone."`
	Drop   dropCommand   `cmd:"" help:"Drop messages for good."`
}

// console is whom a command talks to.
type console struct {
	in          io.Reader
	interactive bool // somebody is at in
	out, notes  io.Writer
}

func newConsole(k *kong.Context) console {
	return console{
		in:          os.Stdin,
		interactive: isatty.IsTerminal(os.Stdin.Fd()),
		out:         k.Stdout,
		notes:       k.Stderr,
	}
}

// say tells the user something. Nobody is left to tell if that fails.
func (c console) say(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format, args...) }

// browse runs f with a connection to the broker.
func (c *Command) browse(ctx context.Context, f func(*rabbitmq.Browser) error) error {
	options, err := c.Broker.Options()
	if err != nil {
		return err
	}
	options.Name = "warren dead"
	options.Logger = slog.New(slog.DiscardHandler)
	b, err := rabbitmq.NewBrowser(ctx, options)
	if err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")) // one line, whatever the number of nodes
	}
	defer b.Close()
	return f(b)
}

const suffix = ".dead"

// deadLetterQueue takes a method's name or its dead-letter queue's.
func deadLetterQueue(name string) string {
	if strings.HasSuffix(name, suffix) {
		return name
	}
	return name + suffix
}

// closeCursor ends a look whose error was err.
func closeCursor(ctx context.Context, cursor *rabbitmq.Cursor, queue string, err error, c console) error {
	closeErr := cursor.Close(ctx)
	if n := cursor.Renewed(); n > 0 {
		_, _ = fmt.Fprintf(c.notes, "%s: copied %s to the end of the queue, where RabbitMQ counts their deliveries anew.\n"+
			"It drops what was delivered 20 times, and each look is a delivery.\n", queue, count(n))
	}
	if err != nil {
		return err
	}
	return closeErr
}

// count is n messages, in words.
func count(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}
