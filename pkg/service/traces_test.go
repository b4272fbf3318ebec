package service_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/fx"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
	"example.com/warren/pkg/telemetry/telemetrytest"
)

// setEnvironment makes the services of this process export their spans to a receiver.
func setEnvironment(t *testing.T, r *telemetrytest.Receiver) {
	t.Helper()
	for name, value := range r.Environment() {
		t.Setenv(name, value)
	}
}

const (
	parentTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	parentSpan  = "00f067aa0ba902b7"
)

// newShop serves shop.buy, which calls orders.create. newOrders serves that.
func newShop() service.Service {
	return service.Service{Name: "shop", Module: fx.Invoke(func(s *rpc.Server, c *rpc.Client) {
		rpc.Handle(s, "shop.buy", func(ctx context.Context, in rpc.Empty) (rpc.Empty, error) {
			return rpc.Call[rpc.Empty, rpc.Empty](ctx, c, "orders.create", in)
		})
	})}
}

func newOrders(create func(context.Context, rpc.Empty) (rpc.Empty, error)) service.Service {
	return service.Service{Name: "orders", Module: fx.Invoke(func(s *rpc.Server) { rpc.Handle(s, "orders.create", create) })}
}

// One trace goes through two services, each with its own provider, and through the queue between them.
func TestTrace(t *testing.T) {
	receiver := telemetrytest.NewReceiver(t)
	setEnvironment(t, receiver)
	broker := inmem.NewServer()
	succeed := func(_ context.Context, in rpc.Empty) (rpc.Empty, error) { return in, nil }
	servicetest.Run(t, newOrders(succeed), broker.ConnectAs("orders"))
	servicetest.Run(t, newShop(), broker.ConnectAs("shop"))
	client := servicetest.NewClient(t, broker)
	request := &rpc.Request{
		Queue: "shop.buy", ID: "id-1", CorrelationID: "c-1", ContentType: "application/json", Body: []byte("{}"),
		Header: http.Header{"Traceparent": {"00-" + parentTrace + "-" + parentSpan + "-01"}, "Tracestate": {"a=1"}},
	}
	if _, err := client.Do(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	spans := receiver.Await(t, "three spans", func(s []telemetrytest.Span) bool { return len(s) == 3 })
	want := []telemetrytest.Span{
		{Service: "shop", Name: "shop.buy", Kind: "SERVER", ParentID: parentSpan},
		{Service: "shop", Name: "call orders.create", Kind: "CLIENT", ParentID: spans[0].ID},
		{Service: "orders", Name: "orders.create", Kind: "SERVER", ParentID: spans[1].ID},
	}
	ignore := cmpopts.IgnoreFields(telemetrytest.Span{}, "TraceID", "ID", "Start", "End", "Attributes")
	if diff := cmp.Diff(want, spans, ignore); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, span := range spans {
		if span.TraceID != parentTrace {
			t.Errorf("%s is of the trace %s", span.Name, span.TraceID)
		}
	}
	checkAttributes(t, spans[0], map[string]any{
		"rpc.system.name": "amqp", "rpc.method": "shop.buy", "rpc.response.status_code": "204",
		"messaging.system": "rabbitmq", "messaging.destination.name": "shop.buy",
		"messaging.operation.name": "process", "messaging.operation.type": "process",
		"messaging.message.id": "id-1", "messaging.message.conversation_id": "c-1", "messaging.message.body.size": int64(2),
		"amqp.content_type": "application/json", "amqp.delivery_mode": int64(1),
		"amqp.headers":  []any{"rpc-correlation-id", "rpc-deadline", "timestamp_in_ms", "traceparent", "tracestate"},
		"amqp.reply_to": "test.rpc.response", "amqp.user_id": "test",
	})
	checkAttributes(t, spans[1], map[string]any{
		"rpc.system.name": "amqp", "rpc.method": "orders.create", "rpc.response.status_code": "204",
		"messaging.system": "rabbitmq", "messaging.destination.name": "orders.create",
		"messaging.operation.name": "send", "messaging.operation.type": "send",
		"messaging.message.id": spans[2].Attributes["messaging.message.id"], "messaging.message.conversation_id": "c-1",
		"messaging.message.body.size": int64(0),
	})
}

// A client can put any bytes into some properties of a request, which must not keep spans from their receiver.
func TestTraceOfBytes(t *testing.T) {
	receiver := telemetrytest.NewReceiver(t)
	setEnvironment(t, receiver)
	broker := inmem.NewServer()
	succeed := func(_ context.Context, in rpc.Empty) (rpc.Empty, error) { return in, nil }
	servicetest.Run(t, newOrders(succeed), broker.ConnectAs("orders"))
	request := messaging.Message{
		ID: "\xff", CorrelationID: "c", Type: "rpc.request", ContentType: "text/\xff", ReplyTo: "\xff", AppID: "\xff",
		Headers: map[string]any{"\xff": "x"},
	}
	plain := broker.ConnectAs("plain")
	if err := plain.Send(t.Context(), "orders.create", request); err != nil {
		t.Fatal(err)
	}
	span := receiver.Await(t, "a span", func(s []telemetrytest.Span) bool { return len(s) == 1 })[0]
	got := []any{span.Attributes["messaging.message.id"], span.Attributes["amqp.content_type"], span.Attributes["amqp.headers"]}
	if diff := cmp.Diff([]any{"\uFFFD", "text/\uFFFD", []any{"\uFFFD"}}, got); diff != "" {
		t.Errorf("ID, content type and names of headers: -want +got:\n%s", diff)
	}
	if err := plain.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The line about a failed request, which the server logs after the interceptors have returned, has the handler's span.
func TestLogOfFailureHasTheSpan(t *testing.T) {
	receiver := telemetrytest.NewReceiver(t)
	setEnvironment(t, receiver)
	broker := inmem.NewServer()
	fail := func(context.Context, rpc.Empty) (rpc.Empty, error) { return rpc.Empty{}, errors.New("no paper") }
	orders := servicetest.Run(t, newOrders(fail), broker.ConnectAs("orders"))
	reply, err := servicetest.NewClient(t, broker).Do(t.Context(), &rpc.Request{Queue: "orders.create"})
	if err != nil || reply.Status != http.StatusInternalServerError {
		t.Fatalf("got %+v, %v", reply, err)
	}
	span := receiver.Await(t, "a span", func(s []telemetrytest.Span) bool { return len(s) == 1 })[0]
	if entry := orders.Log.Await(t, "request failed"); entry["trace_id"] != span.TraceID || entry["span_id"] != span.ID {
		t.Errorf("logged %v in the span %+v", entry, span)
	}
	if !span.Failed || span.Attributes["error.type"] != "500" || span.ParentID != "" {
		t.Errorf("the span of the failure is %+v", span)
	}
}

// lossyBroker loses its connection after each request.
type lossyBroker struct {
	messaging.Broker
	lost func()
}

func (b *lossyBroker) OnLoss(f func()) (stop func()) {
	b.lost = f
	return func() {}
}

// A request that is sent again is an event of the call's span.
func TestResentRequestIsAnEvent(t *testing.T) {
	receiver := telemetrytest.NewReceiver(t)
	setEnvironment(t, receiver)
	broker := inmem.NewServer()
	lossy := &lossyBroker{Broker: broker.ConnectAs("shop")}
	handled := make(chan struct{}, 2)
	servicetest.Run(t, newOrders(func(_ context.Context, in rpc.Empty) (rpc.Empty, error) {
		handled <- struct{}{}
		if len(handled) == 1 {
			lossy.lost()
			awaittest.Until(t, "the request that is sent again", func() bool { return len(handled) == 2 })
		}
		return in, nil
	}), broker.ConnectAs("orders"))
	shop := service.Service{Name: "shop", Module: fx.Invoke(func(s *rpc.Server, c *rpc.Client) {
		rpc.Handle(s, "shop.buy", func(ctx context.Context, _ rpc.Empty) (rpc.Empty, error) {
			_, err := c.Do(ctx, &rpc.Request{Queue: "orders.create", Idempotent: true})
			return rpc.Empty{}, err
		})
	})}
	servicetest.Run(t, shop, lossy)
	if _, err := servicetest.NewClient(t, broker).Do(t.Context(), &rpc.Request{Queue: "shop.buy"}); err != nil {
		t.Fatal(err)
	}
	spans := receiver.Await(t, "the span of the call", func(spans []telemetrytest.Span) bool {
		return slices.ContainsFunc(spans, func(s telemetrytest.Span) bool { return s.Kind == "CLIENT" })
	})
	for _, span := range spans {
		if span.Kind == "CLIENT" && !slices.Equal(span.Events, []string{"resent"}) {
			t.Errorf("the events of the call are %q", span.Events)
		}
	}
}

// checkAttributes compares all attributes of a span but those that have times.
func checkAttributes(t *testing.T, span telemetrytest.Span, want map[string]any) {
	t.Helper()
	got := maps.Clone(span.Attributes)
	if span.Kind == "SERVER" {
		if wait, ok := got["messaging.rabbitmq.queue_wait_ms"].(float64); !ok || wait < 0 {
			t.Errorf("%s waited for %v", span.Name, got["messaging.rabbitmq.queue_wait_ms"])
		}
		if expiration, _ := got["amqp.expiration"].(string); len(expiration) < len("1000") {
			t.Errorf("%s has the expiration %q", span.Name, expiration)
		}
		delete(got, "messaging.rabbitmq.queue_wait_ms")
		delete(got, "amqp.expiration")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes of %s: -want +got:\n%s", span.Name, diff)
	}
}
