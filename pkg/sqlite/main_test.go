package sqlite_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/telemetry/telemetrytest"
)

// replicaPath turns the test binary into a process that uses the database at this path.
const replicaPath = "SQLITE_TEST_REPLICA_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(replicaPath); path != "" {
		if err := replica(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	telemetrytest.ClearEnvironment()
	goleak.VerifyTestMain(m)
}
