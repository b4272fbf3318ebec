package rabbitmqnode

import "syscall"

// processAttributes keep a terminal's Ctrl-C from the server, which its owner stops, and end it with its owner.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
