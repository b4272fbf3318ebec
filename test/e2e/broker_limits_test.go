package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/test/internal/system"
)

// TestBrokerTakesSmallMessages has a broker with a small max_message_size. What is larger is refused at once, and costs no other
// client anything.
func TestBrokerTakesSmallMessages(t *testing.T) {
	node := rabbitmqtest.StartNode(t, rabbitmqtest.Options{Definitions: system.Definitions(), Config: "max_message_size = 16384\n"})
	s := (&system.Suite{Programs: suite.Programs, Node: node}).StartSystem(t)
	demo := s.API.Login(t, "demo")
	stop := callMeanwhile(t, demo, "/v1/orders?limit=1", 1)
	for range 5 {
		took := system.Take(func() {
			demo.Want(t, http.StatusRequestEntityTooLarge, http.MethodPost, "/v1/orders", order+strings.Repeat(" ", 20_000),
				"Idempotency-Key", "a key that asks for resending")
		})
		if took > 2*time.Second {
			t.Errorf("413 after %s, want at once", took)
		}
	}
	for range 100 {
		demo.Want(t, http.StatusCreated, http.MethodPost, "/v1/orders", order)
	}
	demo.Want(t, http.StatusInternalServerError, http.MethodGet, "/v1/orders?limit=100", "") // the reply is too large
	stop()
	for _, p := range s.Processes() {
		if n := p.Metric(t, "broker_reconnects_total"); n != 0 {
			t.Errorf("%s lost its connection to the broker %v times", p.Service, n)
		}
	}
}
