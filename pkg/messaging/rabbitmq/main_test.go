package rabbitmq

import (
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

var testURL string

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(rabbitmqtest.Tests{M: m, URL: &testURL})
}
