//go:build unix

package keyring

import (
	"io/fs"
	"os"
	"syscall"
)

// isOurs reports whether root or this process's user owns a file.
func isOurs(info fs.FileInfo) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && (status.Uid == 0 || int(status.Uid) == os.Geteuid())
}
