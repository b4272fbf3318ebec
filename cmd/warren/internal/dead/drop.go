package dead

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/warren/pkg/messaging/deadletter"
)

type dropCommand struct {
	selection
	Yes bool `help:"With --all: do not ask for confirmation."`
}

// Help implements kong.HelpProvider.
func (*dropCommand) Help() string { return "Example:\n\n  warren dead drop access-control.login --all" }

// Run drops messages.
func (d *dropCommand) Run(ctx context.Context, k *kong.Context, c *Command) error {
	if err := d.validate(); err != nil {
		return err
	}
	return c.browse(ctx, k, func(b deadletter.Browser, c console) error { return d.run(ctx, b, c) })
}

func (d *dropCommand) run(ctx context.Context, b deadletter.Browser, c console) error {
	queue := deadLetterQueue(d.Method)
	cursor, err := b.Open(ctx, queue)
	if err != nil {
		return err
	}
	if d.All && !d.Yes && cursor.Left() > 0 {
		ok, err := c.confirm(ctx, fmt.Sprintf("Drop all %s of %s? [y/N] ", count(cursor.Left()), queue))
		if err != nil || !ok {
			return closeCursor(ctx, cursor, queue, err, c)
		}
	}
	_, err = d.apply(ctx, cursor, c, dropping)
	return err
}

var dropping = action{done: "dropped", do: func(context.Context, deadMessage) (string, error) { return "", nil }}

// confirm asks the user a question. It returns true for "y" and "yes".
func (c console) confirm(ctx context.Context, question string) (bool, error) {
	if !c.interactive {
		return false, errors.New("the input is not a terminal, so there is no confirmation: give --yes to drop all")
	}
	c.say("%s", question)
	answer := make(chan string, 1)
	go func() { // leaks when ctx ends, just before the process does
		line, _ := bufio.NewReader(c.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case line := <-answer:
		if line == "y" || line == "yes" {
			return true, nil
		}
		c.say("Nothing was dropped.\n")
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
