package demo

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

const (
	// roleVariable makes the test binary another program.
	roleVariable = "DEMO_TEST_ROLE"
	// markVariable tells its processes from others.
	markVariable = "DEMO_TEST_MARK"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "curl" {
		os.Exit(curl(os.Args[1:]))
	}
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// play is a service's process that behaves as role says. It returns the exit status.
func play(role string) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Println("starting")
	switch role {
	case "crash":
		fmt.Println("cannot go on")
		return 3
	case "obey":
		<-stop
		fmt.Println("stopping")
	case "ignore":
		select {}
	case "own": // has a process of its own
		env := []string{roleVariable + "=ignore", markVariable + "=" + os.Getenv(markVariable)}
		p, err := startProcess("orders", os.Args[0], env, os.Stdout)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("started one")
		<-p.ended()
	}
	return 0
}
