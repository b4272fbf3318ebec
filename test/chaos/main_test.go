// Package chaos breaks things under a running system, while a stream of numbered calls goes through its HTTP gateway, and
// counts what became of every call. Each fault is a short form in the usual tests; with -full it is as hard and as often as
// "make chaos" has it, and takes minutes.
package chaos

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/test/internal/brokerlog"
	"example.com/warren/test/internal/system"
)

var full = flag.Bool("full", false, "break things as hard and as often as promised, and hold the system to the promised times")

// The lines of the node's log that tests wait for, in RabbitMQ 3.10 and 4.
const (
	listening    = "started TCP listener on"
	alarmCleared = "resource limit alarm cleared"
)

// What all tests share.
var (
	suite   system.Suite
	nodeLog brokerlog.Log
	results report
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(floodVariable); spec != "" {
		if err := runFlood(spec); err != nil {
			fmt.Fprintln(os.Stderr, "flood:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	goleak.VerifyTestMain(system.Tests{M: reporting{m}, Suite: &suite, Node: rabbitmqtest.Options{Output: &nodeLog}})
}

// reporting prints the results after the tests.
type reporting struct{ m *testing.M }

// Run implements the M of system.Tests.
func (r reporting) Run() int {
	code := r.m.Run()
	results.print(os.Stdout)
	return code
}

// size is short in the usual tests, and long with -full.
func size[T any](short, long T) T {
	if *full {
		return long
	}
	return short
}
