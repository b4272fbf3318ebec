package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
)

// TestPrivileges consumes other services' queues as each broker user. The broker must refuse it.
func TestPrivileges(t *testing.T) {
	suite.StartSystem(t)
	tests := map[string][]string{
		"orders":         {"gateway.rpc.response", "access-control.login", "access-control.validateToken"},
		"access-control": {"gateway.rpc.response", "orders.create"},
		"gateway":        {"orders.create", "access-control.login", "orders.create.dead"},
	}
	for user, queues := range tests {
		b, err := rabbitmq.New(rabbitmq.Options{URLs: []string{suite.BrokerURL(user)}, Name: t.Name()})
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
