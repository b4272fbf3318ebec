package main

import "syscall"

// attributes keep a terminal's Ctrl-C from a process, which is stopped in order, and end it with its owner.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
