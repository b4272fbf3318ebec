package e2e

import (
	"net/http"
	"strings"
	"testing"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/test/internal/system"
)

// TestLongReplyTooLargeForBroker lists more orders than fit into a message of the broker. The caller gets an error, and no other client
// pays for it. TestBrokerTakesSmallMessages of package test/e2e has requests that are too large.
func TestLongReplyTooLargeForBroker(t *testing.T) {
	node := rabbitmqtest.StartNode(t, rabbitmqtest.Options{Definitions: system.Definitions(), Config: "max_message_size = 16384\n"})
	s := (&system.Suite{Programs: suite.Programs, Node: node}).StartSystem(t)
	demo := s.API.Login(t, "demo")
	stop := listMeanwhile(t, demo)
	for range 100 {
		demo.Want(t, http.StatusCreated, http.MethodPost, "/v1/orders", order)
	}
	demo.Want(t, http.StatusInternalServerError, http.MethodGet, "/v1/orders?limit=100", "")
	stop()
	for _, p := range s.Processes() {
		if n := p.Metric(t, "messaging_reconnects_total"); n != 0 {
			t.Errorf("%s lost its connection to the broker %v times", p.Service, n)
		}
	}
}

// TestPathThatGrows sends a path that is within the limit for HTTP, and longer in a message, where each quotation mark is %22.
func TestPathThatGrows(t *testing.T) {
	s := suite.StartSystem(t)
	demo := s.API.Login(t, "demo")
	stop := listMeanwhile(t, demo)
	request := system.RequestHead(http.MethodGet, "/v1/orders/"+strings.Repeat("\"", 9000), "Authorization: Bearer "+demo.Token)
	for range 10 {
		if status := demo.SendRaw(t, request); status != http.StatusNotFound {
			t.Errorf("status %d, want 404", status)
		}
	}
	stop()
	if n := s.Gateway.Metric(t, "messaging_reconnects_total"); n != 0 {
		t.Errorf("the gateway lost its connection to the broker %v times", n)
	}
}

// listMeanwhile has a client list an order until stop is called.
func listMeanwhile(t *testing.T, user system.API) (stop func()) {
	t.Helper()
	return user.CallMeanwhile(t, 1, http.StatusOK, http.MethodGet, "/v1/orders?limit=1", "")
}
