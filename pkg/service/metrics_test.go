package service_test

import (
	"context"
	"errors"
	"net/http"
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
	"example.com/warren/pkg/telemetry/telemetrytest"
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
		`rpc_server_call_duration_seconds_count{error_type="",rpc_method="orders.get",rpc_response_status_code="200"} 2`,
		`rpc_server_call_duration_seconds_count{error_type="",rpc_method="orders.get",rpc_response_status_code="404"} 1`,
		`rpc_server_active_calls{rpc_method="orders.get"} 0`,
		`rpc_server_unroutable_replies_total 1`,
		`rpc_server_expired_requests_total 1`,
		`messaging_connected 1`,
		`messaging_reconnects_total 0`,
		`messaging_queue_messages{messaging_destination_name="orders.get"} 0`,
		`messaging_queue_consumers{messaging_destination_name="orders.get"} 1`,
		`messaging_dead_letter_messages{messaging_destination_name="orders.get.dead"} 0`,
		`messaging_set_aside_messages_total{messaging_destination_name="orders.get",reason="rejected"} 0`,
	)
	expectMetrics(t, gatewayAddr,
		`rpc_client_call_duration_seconds_count{error_type="",rpc_method="orders.get",rpc_response_status_code="200"} 1`,
		`rpc_client_call_duration_seconds_count{error_type="404",rpc_method="orders.get",rpc_response_status_code="404"} 1`,
		`rpc_client_call_duration_seconds_count{error_type="timeout",rpc_method="orders.slow",rpc_response_status_code=""} 1`,
		`rpc_client_active_calls{rpc_method="orders.get"} 0`,
		`messaging_queue_consumers{messaging_destination_name="gateway.rpc.response"} 1`,
		`rpc_client_pending_calls 0`,
		`rpc_client_orphan_replies_total 1`,
		`rpc_client_forged_replies_total 0`,
		`rpc_client_resent_requests_total 0`,
	)
	_, page := get(t, gatewayAddr, "/metrics")
	for _, name := range []string{"go_goroutines", "process_open_fds", `service_build_info{commit=`} {
		if !strings.Contains(page, name) {
			t.Errorf("the page lacks %s", name)
		}
	}
	for _, i := range []*servicetest.Instance{gateway, orders} {
		i.Stop()
	}
}

// TestExemplars reads the metrics in the format that has exemplars: the trace of a call that was sampled.
func TestExemplars(t *testing.T) {
	setEnvironment(t, telemetrytest.NewReceiver(t))
	broker := inmem.NewServer()
	succeed := func(_ context.Context, in rpc.Empty) (rpc.Empty, error) { return in, nil }
	orders := servicetest.Start(t, newOrders(succeed), broker.Connect())
	addr := orders.AwaitStart()
	request := &rpc.Request{
		Queue: "orders.create", ContentType: "application/json", Body: []byte("{}"),
		Header: http.Header{"Traceparent": {"00-" + parentTrace + "-" + parentSpan + "-01"}},
	}
	if _, err := servicetest.NewClient(t, broker).Do(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	awaittest.Until(t, "an exemplar", func() bool {
		_, page := get(t, addr, "/metrics", "Accept", "application/openmetrics-text")
		return strings.Contains(page, `# {trace_id="`+parentTrace+`"}`)
	})
	orders.Stop()
}

// Prometheus rejects a page with the same series twice.
func TestSharedDeadLetterQueue(t *testing.T) {
	module := fx.Invoke(func(l fx.Lifecycle, b messaging.Subscriber) {
		l.Append(fx.StartHook(func(ctx context.Context) error {
			for _, name := range []string{"orders.paid", "orders.sent"} {
				q := messaging.Queue{Name: name, Durable: true, DeadLetter: "orders.dead"}
				if _, err := b.Subscribe(ctx, q, func(context.Context, messaging.Message) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		}))
	})
	addr := servicetest.Run(t, service.Service{Name: "orders", Module: module}, inmem.New()).AwaitStart()
	expectMetrics(t, addr,
		`messaging_queue_consumers{messaging_destination_name="orders.paid"} 1`,
		`messaging_queue_consumers{messaging_destination_name="orders.sent"} 1`,
		`messaging_dead_letter_messages{messaging_destination_name="orders.dead"} 0`)
}
