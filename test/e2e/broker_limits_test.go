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
	node := rabbitmqtest.StartNode(t, rabbitmqtest.Options{Definitions: system.Definitions(), Config: "max_message_size = 2048\n"})
	s := (&system.Suite{Programs: suite.Programs, Node: node}).StartSystem(t)
	stop := invalidLogins(t, s.API, 1)
	const login = `{"username":"demo","password":"demo"}`
	for range 5 {
		took := system.Take(func() {
			// The route's own limit is 4 KiB.
			s.API.Want(t, http.StatusRequestEntityTooLarge, http.MethodPost, "/v1/login", login+strings.Repeat(" ", 3000),
				"Idempotency-Key", "a key that asks for resending")
		})
		if took > 2*time.Second {
			t.Errorf("413 after %s, want at once", took)
		}
	}
	s.API.Login(t, "demo")
	stop()
	for _, p := range s.Processes() {
		if n := p.Metric(t, "messaging_reconnects_total"); n != 0 {
			t.Errorf("%s lost its connection to the broker %v times", p.Service, n)
		}
	}
}

// invalidLogins has clients log in without a name until stop is called, which reaches a service and costs it little. The service
// must respond to each.
func invalidLogins(t *testing.T, api system.API, clients int) (stop func()) {
	t.Helper()
	return api.CallMeanwhile(t, clients, http.StatusUnprocessableEntity, http.MethodPost, "/v1/login", "{}")
}
