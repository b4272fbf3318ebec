// Package proc reads figures of processes from Linux's /proc (proc(5)).
package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// File returns the path of a file about a process, such as "status".
func File(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// Field returns the number behind field, which includes the colon, in a file of lines of names and values. Sizes are in
// the file's unit, KiB.
func Field(pid int, file, field string) (int, error) {
	data, err := os.ReadFile(File(pid, file))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == field {
			return strconv.Atoi(fields[1])
		}
	}
	return 0, fmt.Errorf("no %s in %s", field, File(pid, file))
}
