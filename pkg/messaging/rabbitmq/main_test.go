package rabbitmq

import (
	"testing"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqnode"
	"go.uber.org/goleak"
)

var testURL string

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(rabbitmqnode.Tests{M: m, URL: &testURL})
}
