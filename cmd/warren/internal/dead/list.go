package dead

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/pkg/messaging/deadletter"
)

type listCommand struct {
	Methods []string `arg:"" name:"method" completion-predictor:"method" help:"Methods, such as access-control.login, or their dead-letter queues."`
	Limit   int      `default:"100" help:"How many messages of each queue to list (${default})."`
}

// Help implements kong.HelpProvider.
func (*listCommand) Help() string {
	return "Example:\n\n  warren dead list access-control.login billing.create --limit=20"
}

// Run lists the queues one after the other.
func (l *listCommand) Run(ctx context.Context, k *kong.Context, c *Command) error {
	if l.Limit < 1 {
		return change.Refuse("--limit must be 1 or more, is %d", l.Limit)
	}
	return c.browse(ctx, k, func(b deadletter.Browser, c console) error { return l.run(ctx, b, c) })
}

func (l *listCommand) run(ctx context.Context, b deadletter.Browser, c console) error {
	for i, method := range l.Methods {
		if i > 0 {
			c.say("\n")
		}
		if err := l.list(ctx, b, c, deadLetterQueue(method)); err != nil {
			return err
		}
	}
	return nil
}

func (l *listCommand) list(ctx context.Context, b deadletter.Browser, c console, queue string) error {
	cursor, err := b.Open(ctx, queue)
	if errors.Is(err, deadletter.ErrNoQueue) {
		return noDeadLetters(ctx, b, c, queue)
	}
	if err != nil {
		return err
	}
	total := cursor.Left()
	var messages []deadMessage
	for len(messages) < l.Limit && cursor.Next(ctx) {
		messages = append(messages, newDeadMessage(cursor.Message()).withoutBody())
	}
	if err := closeCursor(ctx, cursor, queue, nil, c); err != nil {
		return err
	}
	switch {
	case total == 0:
		c.say("%s: empty\n", queue)
		return nil
	case total > len(messages):
		c.say("%s: %s, here are the %d oldest\n", queue, count(total), len(messages))
	default:
		c.say("%s: %s\n", queue, count(total))
	}
	return writeTable(c, messages)
}

// noDeadLetters tells a method whose dead-letter queue does not exist yet from an unknown one, which is an error.
func noDeadLetters(ctx context.Context, b deadletter.Browser, c console, queue string) error {
	method := strings.TrimSuffix(queue, suffix)
	cursor, err := b.Open(ctx, method)
	if errors.Is(err, deadletter.ErrNoQueue) {
		return fmt.Errorf("neither queue %s nor %s exists: is the name right, and has the service run?", method, queue)
	}
	if err != nil {
		return err
	}
	c.say("%s: no dead letters: the queue does not exist yet\n", queue)
	return cursor.Close(ctx)
}

// writeTable writes a heading and a line for each message.
func writeTable(c console, messages []deadMessage) error {
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tDIED\tFROM\tREASON\tAGE\tBYTES\tSUBJECT\tREQUEST")
	for _, l := range messages {
		subject, request := l.request()
		_, _ = fmt.Fprintln(table, strings.Join([]string{
			l.id, formatTime(l.death.Time), cell(l.death.Queue), cell(l.death.Reason), age(l.message.Timestamp, time.Now()),
			fmt.Sprint(l.size), cell(subject), cell(request),
		}, "\t"))
	}
	return table.Flush()
}

// cell returns a value from a message, which any sender may have chosen, as text that is safe for a terminal.
func cell(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s, "")
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// age returns how long ago a message was created, in the largest unit.
func age(made, now time.Time) string {
	if made.IsZero() {
		return "-"
	}
	d := max(now.Sub(made), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
}
