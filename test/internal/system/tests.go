package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// File returns the path of a file of this repository, whose root is the folder of go.work above the working directory.
func File(name string) string {
	root := "."
	for range 16 { // more than any package is deep
		if _, err := os.Stat(filepath.Join(root, "go.work")); err == nil {
			break
		}
		root = filepath.Join(root, "..")
	}
	return filepath.Join(root, name)
}

// Definitions returns the file that compose.yaml loads, so that the tests run with the privileges of production.
func Definitions() string { return File("deployments/rabbitmq/definitions/services.json") }

// setUpTimeout bounds building the programs, with the wait for other packages that build them, and starting the node.
const setUpTimeout = 10 * time.Minute

// Tests runs a package's tests with built programs and a private node, which is closed before Run returns, so that a check
// for leaks after the tests does not see it.
//
//	var suite system.Suite
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(system.Tests{M: m, Suite: &suite}) }
type Tests struct {
	M     interface{ Run() int } // the testing.M
	Suite *Suite                 // set before the first test
	Node  rabbitmqtest.Options   // default of Definitions: production's
}

// Run returns the tests' exit code, or 1 if the set-up or its removal failed.
func (t Tests) Run() int {
	code, err := t.run()
	if err != nil {
		fmt.Fprintf(os.Stderr, "tests of the system: %v\n", err)
		return 1
	}
	return code
}

func (t Tests) run() (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), setUpTimeout)
	defer cancel()
	if t.Suite.Programs, err = BuildPrograms(ctx); err != nil {
		return 1, err
	}
	if t.Node.Definitions == "" {
		t.Node.Definitions = Definitions()
	}
	if t.Suite.Node, err = rabbitmqtest.Start(ctx, t.Node); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, t.Suite.Node.Close()) }()
	return t.M.Run(), nil
}
