package dead

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/rpc/protocol"
)

type replayCommand struct{ selection }

// Help implements kong.HelpProvider.
func (*replayCommand) Help() string {
	return "Example:\n\n  warren dead replay access-control.login --all"
}

// Run puts messages back. It removes each message after the broker has confirmed its replay, so that a crash between the two
// leaves both.
func (r *replayCommand) Run(ctx context.Context, k *kong.Context, c *Command) error {
	if err := r.validate(); err != nil {
		return err
	}
	return c.browse(ctx, k, func(b deadletter.Browser, c console) error { return r.run(ctx, b, c) })
}

func (r *replayCommand) run(ctx context.Context, b deadletter.Browser, c console) error {
	queue := deadLetterQueue(r.Method)
	cursor, err := b.Open(ctx, queue)
	if err != nil {
		return err
	}
	_, err = r.apply(ctx, cursor, c, replaying(b, queue))
	return err
}

func replaying(b deadletter.Browser, queue string) action {
	return action{done: "replayed", do: func(ctx context.Context, l deadMessage) (string, error) {
		return replay(ctx, b, l, strings.TrimSuffix(queue, suffix))
	}}
}

// replay publishes a message to the method's queue. It refuses a message that claims to be from another queue: any broker user
// who may publish to a dead-letter queue could otherwise have the operator send messages where that user may not.
func replay(ctx context.Context, b deadletter.Browser, l deadMessage, method string) (string, error) {
	switch l.death.Queue {
	case method:
	case "":
		return "", refusal{fmt.Errorf("header %s, which names its queue, is missing", deadletter.QueueHeader)}
	default:
		return "", refusal{fmt.Errorf("header %s names %s, not %s", deadletter.QueueHeader, printable(l.death.Queue, ""), method)}
	}
	err := b.Publish(ctx, method, protocol.Replay(deadletter.Revive(l.message)))
	if errors.Is(err, messaging.ErrUnroutable) || errors.Is(err, messaging.ErrInvalidMessage) {
		return "", refusal{err}
	}
	return " to " + method, err
}
