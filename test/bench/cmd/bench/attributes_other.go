//go:build !linux

package main

import "syscall"

// attributes returns nil. The benchmark fails later on these systems, because it reads /proc.
func attributes() *syscall.SysProcAttr { return nil }
