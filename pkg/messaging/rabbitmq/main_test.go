package rabbitmq

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// testURL is the broker that all tests share.
var testURL string

// BrokerURL returns the broker's URL to examples, which are in another package.
func BrokerURL() string { return testURL }

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(rabbitmqtest.Tests{M: tests{m}, URL: &testURL})
}

// tests closes the node that tests break after the last one.
type tests struct{ m *testing.M }

// Run implements the M of rabbitmqtest.Tests.
func (t tests) Run() int {
	code := t.m.Run()
	if err := closeFaultyNode(); err != nil {
		fmt.Fprintf(os.Stderr, "close the node that tests break: %v\n", err)
		return max(code, 1)
	}
	return code
}
