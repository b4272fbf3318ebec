package rabbitmqtest_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// ownerDir is a variable that makes this binary start a node in the folder that it names, and then wait.
const ownerDir = "RABBITMQTEST_OWNER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerDir); dir != "" {
		own(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func own(dir string) {
	if _, err := rabbitmqtest.Start(context.Background(), rabbitmqtest.Options{Dir: dir}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("started")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
