package service_test

import (
	"os"
	"reflect"
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
	for field := range reflect.TypeFor[service.Config]().Fields() {
		_ = os.Unsetenv(field.Tag.Get("env"))
	}
	goleak.VerifyTestMain(m)
}
