package main

import "syscall"

// attributes shields a process from the terminal's Ctrl-C, so that it can shut down gracefully, and kills it with its owner.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
