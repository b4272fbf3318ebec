package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
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

// setUpTimeout bounds building the programs and starting the node.
const setUpTimeout = 5 * time.Minute

// Tests runs a package's tests with built programs and a private node. It removes both before Run returns, so that a check
// for leaks after the tests does not see them.
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
	if t.Suite.Programs, err = os.MkdirTemp("", "system-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(t.Suite.Programs)) }()
	for _, service := range Services {
		if err := build(ctx, t.Suite.Programs, "services/"+service, "./cmd/"+service); err != nil {
			return 1, err
		}
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

// build builds a package of a module into folder, as make build does, so that the two share what is compiled.
func build(ctx context.Context, folder, module, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-w", "-o", folder+string(filepath.Separator), pkg)
	cmd.Dir = File(module)
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s of %s: %w\n%s", pkg, module, err, out)
	}
	return nil
}
