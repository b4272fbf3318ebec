package service_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/service"
)

// childVariable makes the test binary a service, to test what Main does to a process.
const childVariable = "SERVICE_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childVariable); mode != "" {
		service.Main(child(mode))
	}
	settings, err := service.Settings(service.Service{})
	if err != nil {
		panic(err)
	}
	for _, setting := range settings {
		_ = os.Unsetenv(setting.Variable)
	}
	goleak.VerifyTestMain(m)
}
