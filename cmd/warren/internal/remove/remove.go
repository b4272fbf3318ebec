// Package remove implements warren remove.
package remove

import (
	"context"

	"example.com/warren/cmd/warren/internal/change"
)

// Command is warren remove.
type Command struct {
	Service serviceCommand `cmd:"" help:"Remove a service."`
	Method  methodCommand  `cmd:"" help:"Remove a method of a service."`
}

// Service removes a service from a tree. It returns where the service is still mentioned.
func Service(ctx context.Context, tree *change.Tree, service string) (mentions []string, err error) {
	return (&serviceCommand{Service: service}).edit(ctx, tree)
}
