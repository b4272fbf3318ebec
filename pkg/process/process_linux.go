package process

import "syscall"

// attributes returns what keeps a terminal's Ctrl-C away from a process, and ends the process with its parent.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
