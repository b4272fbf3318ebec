package dead

import (
	"context"
	"io"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
)

// quiet is the output of what other packages do with the queues.
var quiet = console{out: io.Discard, notes: io.Discard}

// List calls f with the oldest messages of a dead-letter queue, and the id by which Replay and Drop select each.
func List(ctx context.Context, b deadletter.Browser, queue string, limit int, f func(id string, m messaging.Message)) error {
	cursor, err := b.Open(ctx, queue)
	if err != nil {
		return err
	}
	for n := 0; n < limit && cursor.Next(ctx); n++ {
		m := cursor.Message()
		f(newDeadMessage(m).id, m)
	}
	return cursor.Close(ctx)
}

// Replay does what warren dead replay does, and returns how many messages were replayed.
func Replay(ctx context.Context, b deadletter.Browser, queue string, ids []string) (done int, err error) {
	return apply(ctx, b, queue, ids, replaying(b, deadLetterQueue(queue)))
}

// Drop does what warren dead drop does, and returns how many messages were dropped.
func Drop(ctx context.Context, b deadletter.Browser, queue string, ids []string) (done int, err error) {
	return apply(ctx, b, queue, ids, dropping)
}

func apply(ctx context.Context, b deadletter.Browser, queue string, ids []string, a action) (done int, err error) {
	cursor, err := b.Open(ctx, deadLetterQueue(queue))
	if err != nil {
		return 0, err
	}
	return selection{Method: queue, IDs: ids}.apply(ctx, cursor, quiet, a)
}
