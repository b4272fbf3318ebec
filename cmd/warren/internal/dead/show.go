package dead

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
)

type showCommand struct {
	Method string `arg:"" completion-predictor:"method" help:"The method, such as access-control.login, or its dead-letter queue."`
	ID     string `arg:"" help:"The message, as warren dead list calls it."`
}

// Help implements kong.HelpProvider.
func (*showCommand) Help() string {
	return "Example, with an id of warren dead list:\n\n  warren dead show access-control.login 5e1f"
}

// Run shows one message.
func (s *showCommand) Run(ctx context.Context, k *kong.Context, c *Command) error {
	return c.browse(ctx, k, func(b deadletter.Browser, c console) error { return s.run(ctx, b, c) })
}

func (s *showCommand) run(ctx context.Context, b deadletter.Browser, c console) error {
	queue := deadLetterQueue(s.Method)
	cursor, err := b.Open(ctx, queue)
	if err != nil {
		return err
	}
	var found *deadMessage
	for found == nil && cursor.Next(ctx) {
		if l := newDeadMessage(cursor.Message()); l.id == s.ID {
			found = &l
		}
	}
	if err := closeCursor(ctx, cursor, queue, nil, c); err != nil {
		return err
	}
	if found == nil {
		return fmt.Errorf("no message %s in %s", s.ID, queue)
	}
	return write(c.out, found.message)
}

// write writes all of m. The properties have their AMQP names.
func write(out io.Writer, m messaging.Message) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "Properties")
	for _, property := range properties(m) {
		if property.value != "" {
			_, _ = fmt.Fprintf(table, "  %s\t%s\n", property.name, printable(property.value, ""))
		}
	}
	_, _ = fmt.Fprintln(table, "Headers")
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", printable(name, ""), headerText(m.Headers[name]))
	}
	_, _ = fmt.Fprintf(table, "Body, %d bytes\n", len(m.Body))
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, bodyText(m.Body))
	return err
}

type property struct{ name, value string }

func properties(m messaging.Message) []property {
	list := []property{
		{"message_id", m.ID},
		{"correlation_id", m.CorrelationID},
		{"type", m.Type},
		{"app_id", m.AppID},
		{"user_id", m.UserID},
		{"reply_to", m.ReplyTo},
		{"content_type", m.ContentType},
		{"content_encoding", m.ContentEncoding},
	}
	if !m.Timestamp.IsZero() {
		list = append(list, property{"timestamp", formatTime(m.Timestamp)})
	}
	if m.TTL > 0 {
		list = append(list, property{"expiration", m.TTL.String()})
	}
	return append(list, property{"persistent", fmt.Sprint(m.Persistent)})
}

// headerText returns a header's value as JSON.
func headerText(value any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return printable(fmt.Sprint(value), "") // NaN or infinite
	}
	return printable(string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), "")
}
