package demo

import "syscall"

// processAttributes keep a terminal's Ctrl-C from the services, which stop in order, and end them with this process.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
