package e2e

import (
	"net/http"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// TestOrdersGetNoSecrets searches the messages to orders, its dead letters, and what a run at log level debug wrote for tokens.
func TestOrdersGetNoSecrets(t *testing.T) {
	s := suite.StartSystem(t, "LOG_LEVEL=debug", "RPC_DELIVERY_LIMIT=1", "RPC_TIMEOUT=10s", "GATEWAY_TOKEN_CACHE=0s")
	user := s.API.Login(t, "demo")
	responses := []system.Response{
		user.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", ""),
		user.Want(t, http.StatusCreated, http.MethodPost, "/v1/orders", order),
		user.Want(t, http.StatusUnprocessableEntity, http.MethodPost, "/v1/orders", "{}"),
		user.Want(t, http.StatusNotFound, http.MethodGet, "/v1/orders/0190a6d0-0000-7000-8000-00000000dead", ""),
	}

	first := s.Process("orders")
	first.Stop(t)
	traces := system.Traces{}
	var unanswered []<-chan system.Response
	orders := suite.Connect(t, "orders")
	for queue, method := range map[string]string{"orders.getAll": http.MethodGet, "orders.create": http.MethodPost} {
		unanswered = append(unanswered, user.CallInBackground(t, method, "/v1/orders", order))
		traces.AddMessages(queue, system.Receive(t, orders, queue, 1))
	}
	// A request that crashes its process.
	unanswered = append(unanswered, user.CallInBackground(t, http.MethodPost, "/v1/orders", order))
	suite.CrashConsumer(t, "orders", "orders.create")
	s.Start(t, "orders")
	traces.AddMessages("orders.create.dead", system.Receive(t, orders, "orders.create.dead", 1))
	for _, c := range unanswered {
		responses = append(responses, awaittest.Receive(t, c, "the end of the call"))
	}

	traces.AddResponses(responses)
	traces.AddSystem(t, s.Dir, append(s.Processes(), first)...)
	traces.Check(t, user.Token)
}
