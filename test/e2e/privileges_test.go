package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"example.com/warren/pkg/messaging"
	"example.com/warren/test/internal/system"
)

// TestPrivileges consumes the queues of other services, and their dead letters, as each broker user. The broker must refuse it.
func TestPrivileges(t *testing.T) {
	suite.StartSystem(t)
	queues, _ := listQueues(t)
	for _, user := range system.Services {
		b := suite.Connect(t, user)
		for _, queue := range queues {
			if strings.HasPrefix(queue, user+".") {
				continue
			}
			for _, name := range []string{queue, queue + ".dead"} {
				_, err := b.Subscribe(t.Context(), messaging.Queue{Name: name, Durable: true},
					func(context.Context, messaging.Message) error { return fmt.Errorf("read by %s", user) })
				if err == nil || !strings.Contains(err.Error(), "ACCESS_REFUSED") {
					t.Errorf("%s reads %s: %v, want access refused", user, name, err)
				}
			}
		}
	}
}
