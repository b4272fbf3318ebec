package service_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
)

// expectMetrics waits until the page of metrics has all lines.
func expectMetrics(t *testing.T, addr string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		awaittest.Until(t, line, func() bool {
			_, page := get(t, addr, "/metrics")
			return strings.Contains("\n"+page+"\n", "\n"+line+"\n")
		})
	}
}

func TestMetrics(t *testing.T) {
	server := inmem.NewServer()
	module := fx.Invoke(func(s *rpc.Server) { rpc.Handle(s, "orders.get", getOrderByID) })
	orders := servicetest.Start(t, service.Service{Name: "orders", Module: module}, server.Connect())
	ordersAddr := orders.AwaitStart()
	var caller *rpc.Client
	gateway := servicetest.Start(t, service.Service{Name: "gateway", Module: fx.Populate(&caller)}, server.Connect())
	gatewayAddr := gateway.AwaitStart()

	got, err := rpc.Call[getOrder, order](t.Context(), caller, "orders.get", getOrder{ID: "42"})
	if err != nil || got.ID != "42" {
		t.Fatalf("got %+v, %v", got, err)
	}
	var notFound *rpc.Error
	if _, err = rpc.Call[getOrder, order](t.Context(), caller, "orders.get", getOrder{ID: "0"}); !errors.As(err, &notFound) {
		t.Fatalf("error %v", err)
	}
	late := &rpc.Request{Queue: "orders.slow", Deadline: time.Now().Add(time.Millisecond)}
	if _, err = caller.Do(t.Context(), late); !errors.Is(err, rpc.ErrTimeout) {
		t.Fatalf("error %v", err)
	}

	peer := server.Connect()
	defer func() { _ = peer.Close(t.Context()) }()
	orphan := messaging.Message{Type: "rpc.reply", CorrelationID: "made-up"}
	if err := peer.Send(t.Context(), "gateway.rpc.response", orphan); err != nil {
		t.Fatal(err)
	}
	homeless := messaging.Message{Type: "rpc.request", CorrelationID: "1", ReplyTo: "gone.rpc.response"}
	if err := peer.Send(t.Context(), "orders.get", homeless); err != nil {
		t.Fatal(err)
	}

	expired := messaging.Message{Type: "rpc.request", CorrelationID: "2", ReplyTo: "gateway.rpc.response", Headers: map[string]any{
		"rpc-version": 1, "rpc-deadline": time.Now().Add(-time.Minute).UnixMilli(),
	}}
	if err := peer.Send(t.Context(), "orders.get", expired); err != nil {
		t.Fatal(err)
	}

	expectMetrics(t, ordersAddr,
		`rpc_server_requests_total{queue="orders.get",status="200"} 2`,
		`rpc_server_requests_total{queue="orders.get",status="404"} 1`,
		`rpc_server_in_flight{queue="orders.get"} 0`,
		`rpc_server_unroutable_replies_total 1`,
		`rpc_server_expired_requests_total 1`,
		`broker_connected 1`,
		`broker_reconnects_total 0`,
	)
	expectMetrics(t, gatewayAddr,
		`rpc_client_requests_total{queue="orders.get",status="200"} 1`,
		`rpc_client_requests_total{queue="orders.get",status="404"} 1`,
		`rpc_client_requests_total{queue="orders.slow",status="timeout"} 1`,
		`rpc_client_request_duration_seconds_count{queue="orders.get"} 2`,
		`rpc_client_in_flight{queue="orders.get"} 0`,
		`rpc_client_pending_calls 0`,
		`rpc_client_orphan_replies_total 1`,
		`rpc_client_forged_replies_total 0`,
		`rpc_client_resent_requests_total 0`,
	)
	_, page := get(t, gatewayAddr, "/metrics")
	for _, name := range []string{"go_goroutines", "process_open_fds"} {
		if !strings.Contains(page, name) {
			t.Errorf("the page lacks %s", name)
		}
	}
	for _, i := range []*servicetest.Instance{gateway, orders} {
		i.Stop()
	}
}
