// Package create implements warren new.
package create

// Command is warren new.
type Command struct {
	Service serviceCommand `cmd:"" help:"Add a service with its routes."`
	Method  methodCommand  `cmd:"" help:"Add a method to a service, with its route."`
	System  systemCommand  `cmd:"" help:"Start a system of your own in a new git repository."`
}
