//go:build unix

package doctor

import "syscall"

// maxFiles returns how many files a process may open. The runtime of Go has raised the soft limit to it, as in the services.
func maxFiles() (uint64, error) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit.Max, err
}
