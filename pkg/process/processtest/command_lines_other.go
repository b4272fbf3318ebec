//go:build !linux

package processtest

import "testing"

// CommandLines returns the command lines of the processes that AwaitNone waits for.
func CommandLines(*testing.T, string) []string { return nil }
