package demo

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// roleVariable makes the test binary play a service's process.
const roleVariable = "DEMO_TEST_ROLE"

// leftOver are variables that another program needs in the user's shell. The demo must ignore them.
var leftOver = []string{
	"BROKER_URL=x", "BROKER_HEARTBEAT=x", "BROKER_CA=x", "BROKER_SERVER_NAME=x", "BROKER_CERTIFICATE=x", "BROKER_KEY=x",
	"OTEL_SDK_DISABLED=true", "OTEL_TRACES_SAMPLER=always_off",
	"LOG_LEVEL=x", "LOG_FORMAT=x", "ADMIN_ADDR=x", "GATEWAY_ADDR=x", "STOP_TIMEOUT=x", "RPC_TIMEOUT=x",
}

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "curl" {
		os.Exit(curl(os.Args[1:]))
	}
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// What the role "print" prints at once.
var longLine = strings.Repeat("x", 999) + "\n"

const longLines = 500

// play behaves like a service's process in a role and returns the exit status.
func play(role string) int {
	if role == "print" {
		fmt.Print(strings.Repeat(longLine, longLines))
		return 0
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Println("starting")
	switch role {
	case "crash":
		fmt.Println("cannot go on")
		return 3
	case "obey":
		<-stop
	case "ignore":
		select {}
	}
	return 0
}
