package telemetry_test

import (
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/telemetry/telemetrytest"
)

func TestMain(m *testing.M) {
	// The tests must not depend on the developer's environment.
	telemetrytest.ClearEnvironment()
	goleak.VerifyTestMain(m)
}
