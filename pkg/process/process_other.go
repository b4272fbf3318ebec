//go:build !linux

package process

import "syscall"

// attributes are none: only Linux ends a process with its parent, and one that outlives a Ctrl-C would be left behind
// elsewhere.
func attributes() *syscall.SysProcAttr { return nil }
