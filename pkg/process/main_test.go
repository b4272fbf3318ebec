package process_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/process"
)

// roleVariable makes this binary a process that behaves as it says.
const roleVariable = "PROCESS_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// environment is that of a process with a role.
func environment(role string) []string {
	return []string{
		roleVariable + "=" + role,
		"GORACE=atexit_sleep_ms=0", // the race detector waits for a second at the end, unless it is told not to
	}
}

func play(role string) (status int) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Println("started")
	switch role {
	case "crash":
		fmt.Println("cannot go on")
		return 3
	case "obey":
		<-stop
		fmt.Println("stopping")
	case "ignore":
		select {}
	case "own": // a process of its own
		reader, writer := io.Pipe()
		p, err := process.Start(os.Args[0], environment("ignore"), writer)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_, _ = bufio.NewReader(reader).ReadString('\n') // it runs
		fmt.Println(p.PID())
		_ = p.Wait() // until both are killed
	}
	return 0
}
