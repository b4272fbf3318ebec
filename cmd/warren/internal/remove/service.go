package remove

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/origin"
	"example.com/warren/cmd/warren/internal/source"
)

type serviceCommand struct {
	change.Flags

	Service string `arg:"" help:"The service, such as billing."`
}

// Help follows the flags of warren remove service --help.
func (*serviceCommand) Help() string {
	return `It removes services/<service>, test/<service>, the routes, the scopes of the demo users, and what make generate derives.
If other code refers to the service, it lists where and removes nothing without --force.

Example:
  warren remove service billing`
}

// Run removes the service.
func (c *serviceCommand) Run(ctx context.Context, k *kong.Context) error {
	var mentions []string
	err := c.Flags.Run(ctx, k.Stdout, func(ctx context.Context, tree *change.Tree) (err error) {
		mentions, err = c.edit(ctx, tree)
		return err
	}, "make lint test")
	if err != nil || c.DryRun || len(mentions) == 0 {
		return err
	}
	_, err = fmt.Fprintf(k.Stdout, "\nThese still mention %s:\n  %s\n", c.Service, strings.Join(mentions, "\n  "))
	return err
}

// edit removes the service from the tree. It returns where the service is still mentioned.
func (c *serviceCommand) edit(ctx context.Context, tree *change.Tree) (mentions []string, err error) {
	services, err := tree.Services()
	switch {
	case err != nil:
		return nil, err
	case !slices.Contains(services, c.Service):
		return nil, change.Refuse("there is no service %s: the services are %s", c.Service, strings.Join(services, ", "))
	case slices.Contains(origin.Needed, c.Service):
		return nil, change.Refuse("%s can't be removed: every system needs it", c.Service)
	}
	hasTests := tree.Exists("test/" + c.Service)
	if err := errors.Join(
		tree.Remove("services/"+c.Service),
		tree.Remove("test/"+c.Service),
		source.RemoveRoutes(tree, func(queue string) bool { return strings.HasPrefix(queue, c.Service+".") }),
		source.RemoveScopes(tree, c.Service),
		origin.SetGenerated(tree, c.Service, false),
	); err != nil {
		return nil, err
	}
	files, err := readFiles(tree)
	if err != nil {
		return nil, err
	}
	code, documents := findMentions(files, tree.Module, c.Service)
	if len(code) > 0 && !c.Force {
		return nil, change.Refuse("%s is used elsewhere; correct this first, or use --force:\n  %s", c.Service, strings.Join(code, "\n  "))
	}
	if err := errors.Join(unlink(tree, files, c.Service), tree.Generate(ctx)); err != nil {
		return nil, err
	}
	if hasTests {
		if err := tree.Go(ctx, "test", "mod", "tidy"); err != nil {
			return nil, err
		}
	}
	return append(code, documents...), nil
}
