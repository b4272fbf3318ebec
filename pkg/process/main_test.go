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

// roleVariable turns the test binary into a process with this role.
const roleVariable = "PROCESS_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// environment returns the environment of a process with a role.
func environment(role string) []string {
	return []string{
		roleVariable + "=" + role,
		"GORACE=atexit_sleep_ms=0", // the race detector would wait for a second at exit
	}
}

func play(role string) (status int) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Println("started")
	switch role {
	case "crash":
		fmt.Println("cannot continue")
		return 3
	case "obey":
		<-stop
		fmt.Println("stopping")
	case "ignore":
		select {}
	case "parent":
		reader, writer := io.Pipe()
		p, err := process.Start(os.Args[0], environment("ignore"), writer)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_, _ = bufio.NewReader(reader).ReadString('\n') // the child has started
		fmt.Println(p.PID())
		_ = p.Wait() // the test kills both
	}
	return 0
}
