package chaos

import (
	"fmt"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// deleteTakes is how long rabbitmqctl may take, which belongs to the time to recover: it does not tell when in its time
// the queue went.
const deleteTakes = 5 * time.Second

// TestQueuesDeleted deletes queues that are in use: those of requests under their consumer, and the one of replies under
// the gateway. They are made again, and what was in them fails at its limit.
func TestQueuesDeleted(t *testing.T) {
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
	l.finish(t, fault, system.OrdersDatabase(s.Dir), resumes()+deleteTakes)
	for _, queue := range queues {
		awaittest.Success(t, queue+" is there and empty", suite.Holds(queue, 0))
	}
}
