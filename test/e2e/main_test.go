// Package e2e starts the real programs over a real RabbitMQ and drives them as their users do, over HTTP. It takes about
// a minute, most of it for nodes and passwords.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqnode"
)

// What all tests share: the programs, and a node with the users of the deployment.
var (
	programs string // the folder of the binaries
	node     *rabbitmqnode.Node
)

// definitions are those that compose.yaml loads, so that the tests run with the privileges of production.
const definitions = "../../deployments/rabbitmq/definitions.json"

func TestMain(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

// tests gives each run its programs and its node, and takes both away before leaks are looked for.
type tests struct{ m *testing.M }

func (t tests) Run() int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	code, err := t.run(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "end-to-end tests: %v\n", err)
		return 1
	}
	return code
}

func (t tests) run(ctx context.Context) (code int, err error) {
	if programs, err = os.MkdirTemp("", "warren-e2e-"); err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(programs) }()
	for _, service := range []string{"gateway", "orders", "access-control"} {
		if err := build(ctx, service); err != nil {
			return 1, err
		}
	}
	if node, err = rabbitmqnode.Start(ctx, rabbitmqnode.Options{Definitions: definitions}); err != nil {
		return 1, err
	}
	defer func() { _ = node.Close() }()
	return t.m.Run(), nil
}

func build(ctx context.Context, service string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(programs, service), "./cmd/"+service)
	cmd.Dir = filepath.Join("..", "..", "services", service)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", service, err, out)
	}
	return nil
}
