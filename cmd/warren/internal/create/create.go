// Package create implements warren new.
package create

// Command is warren new.
type Command struct {
	Service serviceCommand `cmd:"" help:"Add a service."`
}
