//go:build !linux

package demo

import "syscall"

// processAttributes are none: only Linux ends a process with its parent, and a service that outlives a Ctrl-C would be
// left behind elsewhere.
func processAttributes() *syscall.SysProcAttr { return nil }
