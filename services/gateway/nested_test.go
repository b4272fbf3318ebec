package gateway

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/fx"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
	"example.com/warren/pkg/telemetry/telemetrytest"
)

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// chain runs a gateway and the services behind it. access-control.logout calls stock.get, whose replies the test chooses, and
// requests has what each method got.
type chain struct {
	url                           string
	requests                      chan *rpc.Request
	gateway, accessControl, stock *servicetest.Instance
}

func startChain(t *testing.T, stock func(context.Context) error) chain {
	t.Helper()
	broker := inmem.NewServer()
	patience := time.Minute
	if stock == nil {
		patience = time.Second // no reply will come
	}
	c := chain{requests: make(chan *rpc.Request, 3), url: freeAddr(t)}
	run := func(name string, register func(*rpc.Server, *rpc.Client)) *servicetest.Instance {
		s := service.Service{Name: name, Module: fx.Invoke(register)}
		return servicetest.Run(t, s, broker.ConnectAs(name), "--log-level=debug", "--rpc-timeout=50s")
	}
	c.accessControl = run("access-control", func(s *rpc.Server, client *rpc.Client) {
		rpc.Handle(s, "access-control.validateToken", func(ctx context.Context, _ rpc.Empty) (map[string]any, error) {
			c.requests <- rpc.RequestFrom(ctx)
			expiry := time.Now().Add(time.Hour).Unix()
			return map[string]any{"active": true, "subject": "42", "scopes": []string{}, "expires_at": expiry}, nil
		})
		rpc.Handle(s, "access-control.logout", func(ctx context.Context, in rpc.Empty) (rpc.Empty, error) {
			c.requests <- rpc.RequestFrom(ctx)
			return rpc.Call[rpc.Empty, rpc.Empty](ctx, client, "stock.get", in, rpc.WithTimeout(patience))
		})
	})
	if stock != nil {
		c.stock = run("stock", func(s *rpc.Server, _ *rpc.Client) {
			rpc.Handle(s, "stock.get", func(ctx context.Context, in rpc.Empty) (rpc.Empty, error) {
				c.requests <- rpc.RequestFrom(ctx)
				return in, stock(ctx)
			})
		})
	}
	c.gateway = servicetest.Run(t, New(), broker.ConnectAs("gateway"), "--gateway-addr="+c.url, "--rpc-timeout=50s",
		"--gateway-trusted-proxies=127.0.0.1/32") // the test, whose trace counts
	return c
}

// call calls the gateway and returns the status and the headers of its response.
func (c chain) call(t *testing.T) (int, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.url+"/v1/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer token")
	r.Header.Set("Traceparent", traceparent)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode, response.Header
}

// TestCorrelationID: the ID that a client gets names its request in the log of each service that took part, and a trace reaches
// all services behind the first.
func TestCorrelationID(t *testing.T) {
	c := startChain(t, func(context.Context) error { return nil })
	_, header := c.call(t)
	id := header.Get("X-Correlation-Id")
	for _, queue := range []string{"access-control.validateToken", "access-control.logout", "stock.get"} {
		got := awaittest.Receive(t, c.requests, "the request of "+queue)
		if got.Queue != queue || got.CorrelationID != id || (got.ID == id) != (queue == "access-control.logout") {
			t.Errorf("queue %s: ID %s, correlation ID %s; want %s", got.Queue, got.ID, got.CorrelationID, id)
		}
		if queue != "access-control.validateToken" && got.Header.Get("Traceparent") != traceparent {
			t.Errorf("queue %s: headers %v, want the trace", queue, got.Header)
		}
	}
	for _, i := range []*servicetest.Instance{c.accessControl, c.stock} {
		i.Stop()
		if !strings.Contains(i.Log.String(), id) {
			t.Errorf("a log does not name %s:\n%s", id, i.Log)
		}
	}
}

// TestTrace: the span of a request is the parent of those of its calls, and the access log names it.
func TestTrace(t *testing.T) {
	receiver := telemetrytest.NewReceiver(t)
	for name, value := range receiver.Environment() {
		t.Setenv(name, value)
	}
	c := startChain(t, func(context.Context) error { return nil })
	_, header := c.call(t)
	spans := receiver.Await(t, "the spans of the gateway's request and of its three calls", func(spans []telemetrytest.Span) bool {
		return len(spans) == 7
	})
	request := spans[0]
	want := telemetrytest.Span{
		Service: "gateway", TraceID: traceparent[3:35], ParentID: traceparent[36:52], Name: "POST /v1/logout", Kind: "SERVER",
		Attributes: map[string]any{
			"http.request.method": "POST", "http.response.status_code": int64(204), "http.route": "/v1/logout",
			"url.path": "/v1/logout", "url.scheme": "http",
			"messaging.message.conversation_id": header.Get("X-Correlation-Id"),
		},
	}
	if diff := cmp.Diff(want, request, cmpopts.IgnoreFields(telemetrytest.Span{}, "ID", "Start", "End")); diff != "" {
		t.Errorf("span of the request (-want +got):\n%s", diff)
	}
	calls := 0
	for _, span := range spans {
		if span.TraceID != request.TraceID {
			t.Errorf("%s is in the trace %s, want %s", span.Name, span.TraceID, request.TraceID)
		}
		if span.Service == "gateway" && span.ParentID == request.ID {
			calls++
		}
	}
	if calls != 2 {
		t.Errorf("%d calls below the request, want the check of the token and the call: %+v", calls, spans)
	}
	line := c.gateway.Log.Await(t, "request")
	if line["trace_id"] != request.TraceID || line["span_id"] != request.ID {
		t.Errorf("access log %v, want the trace %s and the span %s", line, request.TraceID, request.ID)
	}
}

// TestNestedFailures: what a client sees of a service that another service calls.
func TestNestedFailures(t *testing.T) {
	invalid := rpc.Unprocessable("no").WithFields(rpc.FieldError{Field: "sku", Message: "is sold out"})
	tests := map[string]struct {
		stock      func(context.Context) error // nil: it is down
		status     int
		retryAfter string
		log        string // of access-control
	}{
		"refused":     {failing(rpc.Unauthorized("no").WithHeader("WWW-Authenticate", "Bearer")), 500, "", "401 Unauthorized: no"},
		"invalid":     {failing(invalid), 500, "", "sku is sold out"},
		"unavailable": {failing(rpc.Unavailable("no").WithHeader("Retry-After", "7")), 503, "7", "503 Service Unavailable: no"},
		"down":        {nil, 504, "", "call stock.get: no reply in time"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startChain(t, test.stock)
			status, header := c.call(t)
			if status != test.status || header.Get("Retry-After") != test.retryAfter || header.Get("WWW-Authenticate") != "" {
				t.Errorf("status %d, headers %v; want %d", status, header, test.status)
			}
			c.accessControl.Stop()
			if !strings.Contains(c.accessControl.Log.String(), test.log) {
				t.Errorf("the log of access-control does not have %q:\n%s", test.log, c.accessControl.Log)
			}
		})
	}
}

func failing(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}
