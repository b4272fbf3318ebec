package e2e

import (
	"net/http"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// TestServiceAway calls a service that is down: the call waits in its queue for a consumer, until the time limit.
func TestServiceAway(t *testing.T) {
	s := suite.StartSystem(t)
	demo := s.API.Login(t, "demo")
	s.Process("orders").Stop(t)

	limit, err := time.ParseDuration(system.RPCTimeout)
	if err != nil {
		t.Fatal(err)
	}
	if took := system.Take(func() { demo.Want(t, http.StatusBadGateway, http.MethodGet, "/v1/orders", "") }); took < limit || took > 2*limit {
		t.Errorf("502 after %s, the limit is %s", took, limit)
	}

	// Finding the message with rabbitmqctl can take longer than RPCTimeout, after which the broker drops the message.
	gateway, patient := suite.StartGateway(t, s.Dir, "RPC_INSTANCE=patient", "RPC_TIMEOUT=50s")
	gateway.AwaitReady(t)
	patient.Token = demo.Token
	responses := patient.CallInBackground(t, http.MethodGet, "/v1/orders", "")
	awaittest.Success(t, "the call in its queue", suite.Holds("orders.getAll", 1))
	s.Start(t, "orders")
	if r := awaittest.Receive(t, responses, "the response"); r.Status != http.StatusOK {
		t.Errorf("status %d of a call that waited for its service: %s", r.Status, r.Body)
	}
}
