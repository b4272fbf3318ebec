// Package rename implements warren rename, which gives a system its own module path and name.
//
// The name has two forms. As a title (Warren) it is replaced wherever it is a word. In lower case it is the name of this tool
// too, which stays. So it is replaced only where it is a value of the system, see [values].
package rename

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/mod/module"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/origin"
)

// Command is warren rename.
type Command struct {
	change.Flags

	Module string `arg:"" help:"What the module paths are to begin with, such as github.com/acme/shop."`
	Name   string `help:"The product's name in texts, containers, volumes and tokens, such as shop. Default: the present one."`
}

// Kept says what a rename leaves alone.
const Kept = "Kept: the tool's name (bin/warren), LICENSE, and the headings of versions in CHANGELOG.md."

// Help follows the flags of warren rename --help.
func (*Command) Help() string {
	return `The module path is replaced in all files, the name where it is the product's. The tool is still called warren.

Example:
  warren rename github.com/acme/shop --name shop`
}

// Run renames the checkout that the working directory is in.
func (c *Command) Run(ctx context.Context, k *kong.Context) error {
	if err := Check(c.Module, c.Name); err != nil {
		return err
	}
	return c.Flags.Run(ctx, k.Stdout, func(ctx context.Context, tree *change.Tree) error {
		o, err := origin.Read(tree)
		if err != nil {
			return err
		}
		if c.Module == tree.Module && (c.Name == "" || c.Name == o.Name) {
			return nil
		}
		if o.Version == "" {
			o.Version = origin.Describe(ctx, ".")
		}
		if err := Tree(tree, o, c.Module, c.Name, c.Force); err != nil || c.DryRun {
			return err
		}
		_, err = fmt.Fprintln(k.Stdout, Kept)
		return err
	}, "make test")
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// maxName keeps lines that have the name from becoming too long for the linter.
const maxName = 20

// Check refuses what can't be a module path or a name. The name may be empty.
func Check(modulePath, name string) error {
	if err := module.CheckPath(modulePath); err != nil {
		return change.Refuse("%v: use a path that begins with a domain, such as github.com/acme/shop", err)
	}
	if name != "" && (len(name) > maxName || !validName.MatchString(name)) {
		return change.Refuse("--name %q: use up to %d lower-case letters, digits and hyphens, such as shop", name, maxName)
	}
	return nil
}

// Tree renames a system whose origin is o, and records that. An empty name stays as it is. With force, the name may be a word
// that the system's texts use already.
func Tree(tree *change.Tree, o *origin.Origin, modulePath, name string, force bool) error {
	if name == "" {
		name = o.Name
	}
	files, err := tree.Files()
	if err != nil {
		return err
	}
	from, to := newNames(tree.Module, o.Name), newNames(modulePath, name)
	for _, file := range files {
		text, err := tree.Read(file)
		if err != nil {
			return err
		}
		if keeps(file, text) {
			continue
		}
		if line := to.firstUse(file, text); line > 0 && name != o.Name && !force {
			return change.Refuse("%s:%d has the word %s, which a later rename would take for the name: choose another with --name",
				file, line, to.title)
		}
		renamed, err := from.replace(file, text, to)
		if err != nil {
			return fmt.Errorf("rename in %s: %w", file, err)
		}
		if bytes.Equal(renamed, text) {
			continue
		}
		if err := tree.Write(file, renamed); err != nil {
			return err
		}
	}
	tree.Module, o.Module, o.Name = modulePath, modulePath, name
	return o.Write(tree)
}

// title returns a name as texts have it: words with capitals.
func title(name string) string {
	words := strings.Split(name, "-")
	for i, word := range words {
		words[i] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, " ")
}
