package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
)

// messages returns how many messages a queue holds, as the broker tells it.
func messages(ctx context.Context, queue string) (string, error) {
	out, err := node.Ctl(ctx, "--quiet", "list_queues", "--no-table-headers", "name", "messages")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if name, n, _ := strings.Cut(strings.TrimSpace(line), "\t"); name == queue {
			return n, nil
		}
	}
	return "", fmt.Errorf("no queue %s", queue)
}

func holds(queue, want string) func(context.Context) error {
	return func(ctx context.Context) error {
		n, err := messages(ctx, queue)
		if err == nil && n != want {
			err = fmt.Errorf("queue %s holds %s messages, want %s", queue, n, want)
		}
		return err
	}
}

func (s *system) queued(queue string) func(context.Context) error { return holds(queue, "1") }

func (s *system) empty(queue string) func(context.Context) error { return holds(queue, "0") }

// TestPrivileges: a service can't read what is meant for another.
func TestPrivileges(t *testing.T) {
	startSystem(t)
	tests := map[string][]string{
		"orders":         {"gateway.rpc.response", "accessControl.login", "accessControl.validateToken"},
		"access-control": {"gateway.rpc.response", "orders.create"},
		"gateway":        {"orders.create", "accessControl.login", "orders.create.dead"},
	}
	for user, queues := range tests {
		b, err := rabbitmq.New(rabbitmq.Options{URLs: []string{brokerURL(user)}, Name: t.Name()})
		if err != nil {
			t.Fatal(err)
		}
		for _, queue := range queues {
			_, err := b.Subscribe(t.Context(), messaging.Queue{Name: queue, Durable: true},
				func(context.Context, messaging.Message) error { return fmt.Errorf("read by %s", user) })
			if err == nil || !strings.Contains(err.Error(), "ACCESS_REFUSED") {
				t.Errorf("%s reads %s: %v, want access refused", user, queue, err)
			}
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
