// Package change changes a checkout of a Warren system as a whole or not at all.
//
// A command edits a copy of the checkout ([Tree]). What then differs is the change: [Flags.Run] prints it as a diff or writes
// it back. A command that fails leaves the checkout as it was.
package change

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"example.com/warren/cmd/warren/internal/shellword"
)

// Flags are the flags of each command that writes.
type Flags struct {
	DryRun bool `help:"Print the change as a unified diff and write nothing."`
	Force  bool `help:"Write in spite of changes that are not committed, or of what the command warns about."`
}

// badInput is an error that the user has to correct.
type badInput struct{ text string }

func (e badInput) Error() string { return e.text }

// Refuse returns an error about the user's input. It should fit on one line.
func Refuse(format string, args ...any) error { return badInput{fmt.Sprintf(format, args...)} }

// Refused reports whether err is one of Refuse's.
func Refused(err error) bool {
	_, is := errors.AsType[badInput](err)
	return is
}

// Run calls edit with a copy of the checkout that the working directory is in. It writes what edit has changed, or with
// DryRun prints it. next are the commands to run afterwards.
func (f Flags) Run(ctx context.Context, out io.Writer, edit func(context.Context, *Tree) error, next ...string) (err error) {
	root, err := Root()
	if err != nil {
		return err
	}
	if !f.DryRun && !f.Force {
		if err := refuseUncommitted(ctx, root); err != nil {
			return err
		}
	}
	folder, err := os.MkdirTemp("", "warren-change-")
	if err != nil {
		return fmt.Errorf("create a folder for the copy of the checkout: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	tree, before, err := copyCheckout(ctx, root, folder)
	if err != nil {
		return fmt.Errorf("copy the checkout: %w", err)
	}
	if err := edit(ctx, tree); err != nil {
		return err
	}
	changes, err := compare(before, tree)
	if err != nil {
		return fmt.Errorf("compare the copy with the checkout: %w", err)
	}
	switch {
	case len(changes) == 0:
		_, err = fmt.Fprintln(out, "Nothing to change.")
		return err
	case f.DryRun:
		return printDiff(ctx, out, changes)
	}
	if err := write(root, changes); err != nil {
		return err
	}
	if here, err := filepath.Abs("."); err != nil || here != root {
		next = append([]string{"cd " + shellword.Quote(root)}, next...)
	}
	return report(out, before, changes, f.Force, next)
}
