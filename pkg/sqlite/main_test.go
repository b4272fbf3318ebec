package sqlite_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// replicaPath makes this binary another process on the database that it names.
const replicaPath = "SQLITE_TEST_REPLICA_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(replicaPath); path != "" {
		if err := replica(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
