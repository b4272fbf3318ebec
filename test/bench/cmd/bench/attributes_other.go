//go:build !linux

package main

import "syscall"

// attributes are none: the benchmark reads /proc, which only Linux has, and says so.
func attributes() *syscall.SysProcAttr { return nil }
