package rabbitmq

import (
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqnode"
)

var testURL string

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(rabbitmqnode.Tests{M: m, URL: &testURL})
}
