package service_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/service"
	"example.com/warren/pkg/telemetry/telemetrytest"
)

// childVariable turns the test binary into a service, so that tests see what Main does to a process.
const childVariable = "SERVICE_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childVariable); mode != "" {
		service.Main(child(mode))
	}
	// The tests must not depend on the developer's environment.
	settings, err := service.Settings(service.Service{})
	if err != nil {
		panic(err)
	}
	for _, setting := range settings {
		_, _ = os.Unsetenv(setting.Variable), os.Unsetenv(setting.Variable+"_FILE")
	}
	telemetrytest.ClearEnvironment()
	goleak.VerifyTestMain(m)
}
