package gateway

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
)

// TestCorrelationID: the ID that a client gets names its request in the log and the problems of each service that took part,
// and a trace reaches all services behind the first.
func TestCorrelationID(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	broker := inmem.NewServer()
	requests := make(chan *rpc.Request, 3)
	run := func(name string, register func(*rpc.Server, *rpc.Client)) *servicetest.Instance {
		s := service.Service{Name: name, Module: fx.Invoke(register)}
		return servicetest.Run(t, s, broker.ConnectAs(name), "--log-level=debug")
	}
	run("access-control", func(s *rpc.Server, _ *rpc.Client) {
		rpc.Handle(s, "access-control.validateToken", func(ctx context.Context, _ rpc.Empty) (map[string]any, error) {
			requests <- rpc.RequestFrom(ctx)
			expiry := time.Now().Add(time.Hour).Unix()
			return map[string]any{"active": true, "subject": "42", "scopes": []string{"orders:read"}, "expires_at": expiry}, nil
		})
	})
	orders := run("orders", func(s *rpc.Server, c *rpc.Client) {
		rpc.Handle(s, "orders.getAll", func(ctx context.Context, in rpc.Empty) (rpc.Empty, error) {
			requests <- rpc.RequestFrom(ctx)
			return rpc.Call[rpc.Empty, rpc.Empty](ctx, c, "stock.get", in)
		})
	})
	stock := run("stock", func(s *rpc.Server, _ *rpc.Client) {
		rpc.Handle(s, "stock.get", func(ctx context.Context, in rpc.Empty) (rpc.Empty, error) {
			requests <- rpc.RequestFrom(ctx)
			return in, rpc.Unavailable("no stock").WithCause(context.Canceled)
		})
	})
	addr := freeAddr(t)
	servicetest.Run(t, New(), broker.ConnectAs("gateway"), "--gateway-addr="+addr)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/v1/orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer token")
	r.Header.Set("Traceparent", trace)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	id := response.Header.Get("X-Correlation-Id")
	for _, queue := range []string{"access-control.validateToken", "orders.getAll", "stock.get"} {
		got := awaittest.Receive(t, requests, "the request of "+queue)
		if got.Queue != queue || got.CorrelationID != id || (got.ID == id) != (queue == "orders.getAll") {
			t.Errorf("queue %s: ID %s, correlation ID %s; want %s", got.Queue, got.ID, got.CorrelationID, id)
		}
		if queue != "access-control.validateToken" && got.Header.Get("Traceparent") != trace {
			t.Errorf("queue %s: headers %v, want the trace", queue, got.Header)
		}
	}
	for _, i := range []*servicetest.Instance{orders, stock} {
		i.Stop()
		if !strings.Contains(i.Log.String(), id) {
			t.Errorf("a log does not name %s:\n%s", id, i.Log)
		}
	}
}
