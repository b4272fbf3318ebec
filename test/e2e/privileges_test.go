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
	ctx, cancel := context.WithTimeout(t.Context(), system.Patience)
	defer cancel()
	queues, _ := listQueues(t)
	for _, user := range system.Services {
		b := suite.Connect(t, user)
		for _, queue := range queues {
			if strings.HasPrefix(queue, user+".") || strings.HasSuffix(queue, ".consumer-lock") { // a lock belongs to its connection
				continue
			}
			_, err := b.Subscribe(ctx, messaging.Queue{Name: queue, Durable: true},
				func(context.Context, messaging.Message) error { return fmt.Errorf("read by %s", user) })
			if err == nil || !strings.Contains(err.Error(), "ACCESS_REFUSED") {
				t.Errorf("%s reads %s: %v, want access refused", user, queue, err)
			}
		}
	}
}
