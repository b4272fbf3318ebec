// Package remove implements warren remove.
package remove

// Command is warren remove.
type Command struct {
	Service serviceCommand `cmd:"" help:"Remove a service."`
}
