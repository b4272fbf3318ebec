package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc/<pid>/stat (proc(5)), the same on all of Linux's usual platforms.
const clockTick = 10 * time.Millisecond

// usage is what a process has taken since its start.
type usage struct {
	cpu      time.Duration
	writes   int // system calls
	resident int // bytes, now
}

func (u usage) plus(v usage) usage {
	return usage{cpu: u.cpu + v.cpu, writes: u.writes + v.writes, resident: u.resident + v.resident}
}

// since keeps the resident memory.
func (u usage) since(earlier usage) usage {
	return usage{cpu: u.cpu - earlier.cpu, writes: u.writes - earlier.writes, resident: u.resident}
}

// usageOf sums up processes.
func usageOf(processes ...*process) (usage, error) {
	var sum usage
	for _, p := range processes {
		u, err := readUsage(p.pid)
		if err != nil {
			return usage{}, fmt.Errorf("usage of %s: %w", p.name, err)
		}
		sum = sum.plus(u)
	}
	return sum, nil
}

func readUsage(pid int) (usage, error) {
	stat, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return usage{}, err
	}
	// The second field is the program's name in parentheses, and may hold anything; utime and stime are the 14th and 15th.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return usage{}, fmt.Errorf("%q has too few fields", stat)
	}
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return usage{}, fmt.Errorf("times: %w", err)
		}
		ticks += n
	}
	writes, err := readField(procFile(pid, "io"), "syscw:")
	if err != nil {
		return usage{}, err
	}
	resident, err := readField(procFile(pid, "status"), "VmRSS:")
	return usage{cpu: time.Duration(ticks) * clockTick, writes: writes, resident: resident << 10}, err
}

func procFile(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// readField returns the number after a name in a file of lines of names and values.
func readField(file, name string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			return strconv.Atoi(fields[1])
		}
	}
	return 0, fmt.Errorf("no %s in %s", name, file)
}
