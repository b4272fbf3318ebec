package chaos

import (
	"fmt"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
)

// deleteTakes is how long rabbitmqctl may take. It is part of the measured time to recover, since rabbitmqctl does not tell
// when it deleted the queue.
const deleteTakes = 5 * time.Second

// TestLongQueuesDeleted deletes queues in use: request queues under their consumer, and the callback queue under the gateway. The
// services declare them again, and calls whose messages were in them fail at their time limit.
func TestLongQueuesDeleted(t *testing.T) {
	s := suite.StartSystem(t, limitSetting)
	l := startLoad(t, s.API.Login(t, "demo"))
	queues := []string{"orders.get", "orders.create", "gateway.rpc.response"}
	times := size(1, 5)
	for range times {
		for _, queue := range queues {
			began := time.Now()
			suite.Ctl(t, "delete_queue", queue)
			l.fault(t, began)
		}
	}
	fault := fmt.Sprintf("queues are deleted in use, %d times (from the start of rabbitmqctl)", times*len(queues))
	l.finish(t, fault, ordersDatabase(s.Dir), resumes()+deleteTakes)
	for _, queue := range queues {
		awaittest.Success(t, queue+" declared and empty", suite.Holds(queue, 0))
	}
}
