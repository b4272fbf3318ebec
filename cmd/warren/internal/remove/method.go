package remove

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/source"
)

type methodCommand struct {
	change.Flags

	Method string `arg:"" help:"The method, such as billing.refund."`
}

// Help follows the flags of warren remove method --help.
func (*methodCommand) Help() string {
	return `It removes the registration, the route, and the files that warren new method has made, with all that is in them now. Of a
method with its handler in another file, it removes the handler alone.
If other code needs the method, it lists where and removes nothing without --force.

Example:
  warren remove method billing.refund`
}

// Run removes the method.
func (c *methodCommand) Run(ctx context.Context, k *kong.Context) error {
	service, _, _ := strings.Cut(c.Method, ".")
	return c.Flags.Run(ctx, k.Stdout, func(ctx context.Context, tree *change.Tree) error {
		return c.edit(ctx, tree, service)
	}, fmt.Sprintf("make lint test PACKAGES=./services/%s/...", service))
}

func (c *methodCommand) edit(ctx context.Context, tree *change.Tree, service string) error {
	methods, err := source.ReadMethods(tree, service)
	if err != nil {
		return err
	}
	if methods.Registered(c.Method) == "" {
		return change.Refuse("there is no method %s", c.Method)
	}
	if err := methods.Remove(c.Method); err != nil {
		return err
	}
	if err := source.RemoveRoutes(tree, func(queue string) bool { return queue == c.Method }); err != nil || c.Force {
		return err
	}
	needs, err := c.findNeeds(ctx, tree, service)
	if len(needs) > 0 {
		return change.Refuse("%s is used elsewhere; correct this first, or use --force:\n  %s", c.Method, strings.Join(needs, "\n  "))
	}
	return err
}

// compilerError is a line that the compiler prints: file, line, column and text.
var compilerError = regexp.MustCompile(`(?m)(?:^|vet: )(?:\./)?(\S+\.go:\d+:.*)$`)

// findNeeds returns where code needs what was removed: the queue, or an identifier.
func (c *methodCommand) findNeeds(ctx context.Context, tree *change.Tree, service string) (needs []string, err error) {
	queue := regexp.MustCompile(`"` + regexp.QuoteMeta(c.Method) + `"`)
	files, err := readFiles(tree)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if goCode.MatchString(f.name) && (!unitTest.MatchString(f.name) || isOf(service, f.name)) { // others may call what they like
			needs = append(needs, f.mentions(queue)...)
		}
	}
	err = tree.Go(ctx, "services/"+service, "vet", "./...")
	if err == nil {
		return needs, nil
	}
	for _, found := range compilerError.FindAllStringSubmatch(err.Error(), -1) {
		needs = append(needs, "services/"+service+"/"+found[1])
	}
	return slices.Compact(needs), err
}
