package chaos

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/test/internal/system"
)

// TestLongMessageSizeLimit sends bodies that are too large for the broker, but not for the gateway, during a load. Their senders get
// 413, and no other call fails.
func TestLongMessageSizeLimit(t *testing.T) {
	const limit = 32 << 10 // the gateway's of the route is higher
	node := rabbitmqtest.StartNode(t, rabbitmqtest.Options{
		Definitions: system.Definitions(), Config: fmt.Sprintf("max_message_size = %d", limit),
	})
	on := system.Suite{Programs: suite.Programs, Node: node}
	s := on.StartSystem(t, patientSetting())
	demo := s.API.Login(t, "demo")
	l := startLoad(t, demo)
	body := strings.Replace(orderOf("large"), "{", "{"+strings.Repeat(" ", limit), 1)
	began := time.Now()
	times := size(5, 100)
	for i := range times {
		demo.Want(t, http.StatusRequestEntityTooLarge, http.MethodPost, "/v1/orders", body, "Idempotency-Key", fmt.Sprintf("large-%d", i))
	}
	l.fault(t, began)
	fault := fmt.Sprintf("%d bodies are too large for the broker", times)
	l.finish(t, fault, ordersDatabase(s.Dir), resumes())
	l.allAnswered(t)
	if orders := readOrders(t, ordersDatabase(s.Dir), "large"); len(orders) != 0 {
		t.Errorf("orders %q", orders)
	}
}
