package dead

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/rpc/protocol"
)

type replayCommand struct{ selection }

// Run puts messages back. It removes each message after the broker has confirmed its replay, so that a crash between the two
// leaves both.
func (r *replayCommand) Run(ctx context.Context, k *kong.Context, c *Command) error {
	if err := r.validate(); err != nil {
		return err
	}
	return c.browse(ctx, k, func(b deadletter.Browser, c console) error { return r.run(ctx, b, c) })
}

func (r *replayCommand) run(ctx context.Context, b deadletter.Browser, c console) error {
	cursor, err := b.Open(ctx, deadLetterQueue(r.Method))
	if err != nil {
		return err
	}
	return r.apply(ctx, cursor, c, action{done: "replayed", do: func(ctx context.Context, l deadMessage) (string, error) {
		return replay(ctx, b, l)
	}})
}

// replay publishes a message to the queue that it came from.
func replay(ctx context.Context, b deadletter.Browser, l deadMessage) (string, error) {
	if l.death.Queue == "" {
		return "", refusal{fmt.Errorf("header %s, which names its queue, is missing", deadletter.QueueHeader)}
	}
	err := b.Publish(ctx, l.death.Queue, protocol.Replay(deadletter.Revive(l.message)))
	if errors.Is(err, messaging.ErrUnroutable) || errors.Is(err, messaging.ErrInvalidMessage) {
		return "", refusal{err}
	}
	return " to " + printable(l.death.Queue, ""), err
}
