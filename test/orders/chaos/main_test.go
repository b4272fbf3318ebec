// Package chaos breaks things under a running system while a stream of numbered calls goes through its HTTP gateway, and
// counts the outcome of every call.
//
// # Sizes
//
// "make chaos" runs all tests with -full: faults are hard and repeated, the promised times hold, and the run takes many
// minutes. Without -full each fault is short, and time limits allow for a busy machine. "make test-long" runs these short forms.
// "make test" runs only those of the tests that are not named TestLong…: the cheapest two, which show that the harness works.
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

var fullSize = flag.Bool("full", false, "break things as hard and as often as promised, and check the promised times")

// The lines of the node's log that tests wait for, in RabbitMQ 3.10 and 4.
const (
	listening    = "started TCP listener on"
	alarmCleared = "resource limit alarm cleared"
)

// Shared by all tests.
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

// reporting prints the report after the tests.
type reporting struct{ m *testing.M }

// Run implements the M of system.Tests.
func (r reporting) Run() int {
	code := r.m.Run()
	results.print(os.Stdout)
	return code
}

// size returns full with -full, and short otherwise.
func size[T any](short, full T) T {
	if *fullSize {
		return full
	}
	return short
}
