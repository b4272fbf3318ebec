package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"example.com/warren/test/internal/proc"
)

// clockTick is the unit of times in /proc/<pid>/stat (proc(5)). It is the same on all common platforms of Linux.
const clockTick = 10 * time.Millisecond

// usage is what a process has used since its start.
type usage struct {
	cpu      time.Duration
	writes   int // system calls
	resident int // bytes, now
}

func (u usage) plus(v usage) usage {
	return usage{cpu: u.cpu + v.cpu, writes: u.writes + v.writes, resident: u.resident + v.resident}
}

// since returns the difference of times and writes. The resident memory stays that of u.
func (u usage) since(earlier usage) usage {
	return usage{cpu: u.cpu - earlier.cpu, writes: u.writes - earlier.writes, resident: u.resident}
}

// usageOf returns the sum of the processes' usage.
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
	stat, err := os.ReadFile(proc.File(pid, "stat"))
	if err != nil {
		return usage{}, err
	}
	// The second field is the program's name in parentheses, and may contain any character. utime and stime are the 14th and
	// 15th fields.
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
	writes, err := proc.Field(pid, "io", "syscw:")
	if err != nil {
		return usage{}, err
	}
	resident, err := proc.Field(pid, "status", "VmRSS:")
	return usage{cpu: time.Duration(ticks) * clockTick, writes: writes, resident: resident << 10}, err
}
