package create

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/origin"
	"example.com/warren/cmd/warren/internal/source"
)

type serviceCommand struct {
	change.Flags

	Service string `arg:"" help:"The service, such as billing: lower-case words joined by hyphens."`
	Entity  string `placeholder:"NAME" help:"What the service keeps, such as invoice. Default: the singular of the service."`
	Plural  string `placeholder:"NAME" help:"The plural of the entity, in paths and tables."`
	Port    uint16 `placeholder:"PORT" help:"Port of the service's admin listener. Default: one that no other service has."`
}

// Help follows the flags of warren new service --help.
func (*serviceCommand) Help() string {
	return `It adds services/<service>, three routes below /v1/<plural>, their scopes for the user demo, and what make generate derives.

Example:
  warren new service billing --entity invoice`
}

// Run adds the service.
func (c *serviceCommand) Run(ctx context.Context, k *kong.Context) error {
	next := make([]string, 3) // filled in by the change, which has the names
	return c.Flags.Run(ctx, k.Stdout, func(ctx context.Context, tree *change.Tree) error {
		n, err := ParseNames(tree, c.Service, c.Entity, c.Plural, c.Port)
		if err != nil {
			return err
		}
		next[0] = fmt.Sprintf("make test PACKAGES=./services/%s/...", n.Service)
		next[1] = "make demo"
		next[2] = fmt.Sprintf(`curl -i $URL/%s -H "Authorization: Bearer $TOKEN" # make demo prints URL and TOKEN`, n.Plural)
		return addService(ctx, tree, n)
	}, next...)
}

// addService adds the service to the tree and checks that everything builds with it.
func addService(ctx context.Context, tree *change.Tree, n Names) error {
	files, err := Files(tree, n)
	if err != nil {
		return err
	}
	folder := "services/" + n.Service
	// cmd/warren has all checksums. go mod tidy keeps those that the service needs.
	sums, err := tree.Read("cmd/warren/go.sum")
	files[folder+"/go.sum"] = sums
	for name, content := range files {
		err = errors.Join(err, tree.Write(name, content))
	}
	read, write := n.Service+":read", n.Service+":write"
	one, all := "/"+n.Plural+"/:id", "/"+n.Plural
	if err := errors.Join(
		err,
		source.AddRoutes(tree,
			source.Route{Method: "GET", Path: all, Queue: n.Service + ".getAll", Options: []string{"requireToken", scope(read)}},
			source.Route{Method: "POST", Path: all, Queue: n.Service + ".create", Options: []string{
				"requireToken", scope(write), "maxBody(64<<10)", "idempotent",
			}},
			source.Route{Method: "GET", Path: one, Queue: n.Service + ".get", Options: []string{"requireToken", scope(read)}},
		),
		source.AddScopes(tree, read, write),
		origin.SetGenerated(tree, n.Service, true),
	); err != nil {
		return err
	}
	if err := tree.Go(ctx, folder, "mod", "tidy"); err != nil {
		return err
	}
	if err := tree.Generate(ctx); err != nil { // builds cmd/warren
		return err
	}
	for _, folder := range []string{folder, "services/gateway", "cmd/warren"} {
		if err := tree.Go(ctx, folder, "vet", "./..."); err != nil {
			return err
		}
	}
	return nil
}

func scope(name string) string { return fmt.Sprintf("scope(%q)", name) }
