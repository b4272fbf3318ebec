package dead

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/pkg/messaging/deadletter"
)

// selection names messages of one queue. If a message is there twice, after a crash between a replay and its removal, its id
// selects the older one.
type selection struct {
	Method string   `arg:"" completion-predictor:"method" help:"The method, such as access-control.login, or its dead-letter queue."`
	IDs    []string `arg:"" optional:"" name:"id" help:"Messages, as warren dead list calls them."`
	All    bool     `help:"All messages that are in the queue now."`
}

func (s selection) validate() error {
	switch {
	case len(s.IDs) > 0 && s.All:
		return change.Refuse("give ids or --all, not both")
	case len(s.IDs) == 0 && !s.All:
		return change.Refuse("give the ids of messages, or --all")
	}
	return nil
}

// action is what a command does with each selected message.
type action struct {
	done string // "replayed"
	// do returns a suffix for done. If the error is a refusal, the command continues with the next message.
	do func(context.Context, deadMessage) (string, error)
}

// refusal is the reason why a message must stay in its queue.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// selecting is one run of an action over a selection.
type selecting struct {
	console
	queue   string
	cursor  deadletter.Cursor
	action  action
	all     bool
	missing map[string]bool // ids not seen yet
	seen    int
	done    int
	kept    []error
}

// apply does the action with the selected messages, each of which then leaves the queue. It returns how many have left.
func (s selection) apply(ctx context.Context, cursor deadletter.Cursor, c console, a action) (done int, err error) {
	run := &selecting{
		console: c, queue: deadLetterQueue(s.Method), cursor: cursor, action: a, all: s.All, missing: map[string]bool{},
	}
	for _, id := range s.IDs {
		run.missing[id] = true
	}
	err = run.each(ctx)
	if err := closeCursor(ctx, cursor, run.queue, err, c); err != nil {
		return run.done, err
	}
	return run.done, run.result()
}

func (r *selecting) each(ctx context.Context) error {
	for (r.all || len(r.missing) > 0) && r.cursor.Next(ctx) {
		l := newDeadMessage(r.cursor.Message())
		if !r.all && !r.missing[l.id] {
			continue
		}
		delete(r.missing, l.id)
		r.seen++
		if err := r.one(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

func (r *selecting) one(ctx context.Context, l deadMessage) error {
	// Ctrl-C does not interrupt the action, which would leave the message in two queues.
	more, err := r.action.do(context.WithoutCancel(ctx), l)
	if _, refused := errors.AsType[refusal](err); refused {
		r.say("kept %s: %v\n", l.id, err)
		r.kept = append(r.kept, err)
		return nil
	}
	if err == nil {
		err = r.cursor.Remove()
	}
	if err != nil {
		return fmt.Errorf("message %s: %w", l.id, err)
	}
	r.done++
	r.say("%s %s%s\n", r.action.done, l.id, more)
	return nil
}

// result returns an error if some of the selected messages are left.
func (r *selecting) result() error {
	switch {
	case len(r.kept) > 0:
		return fmt.Errorf("%d of %s not %s, still in %s: %w", len(r.kept), count(r.seen), r.action.done, r.queue, r.kept[0])
	case len(r.missing) > 0:
		return fmt.Errorf("no message %s in %s", strings.Join(slices.Sorted(maps.Keys(r.missing)), ", "), r.queue)
	case r.seen == 0:
		r.say("%s: empty\n", r.queue)
	}
	return nil
}
