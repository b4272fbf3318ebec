//go:build !linux

package process

import "syscall"

// attributes returns nil. Only Linux can end a process with its parent. Elsewhere, a process that a Ctrl-C does not reach
// would be left running.
func attributes() *syscall.SysProcAttr { return nil }
