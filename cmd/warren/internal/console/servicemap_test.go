package console

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

type mapResponse struct {
	Window      float64       `json:"window_s"`
	QueuesError string        `json:"queues_error"`
	Services    []serviceView `json:"services"`
	Edges       []edgeView    `json:"edges"`
}

func TestMap(t *testing.T) {
	c := start(t, Options{})
	c.receiveAll(t, listOrders...)
	const client, server = tracepb.Span_SPAN_KIND_CLIENT, tracepb.Span_SPAN_KIND_SERVER
	to := func(queue string) map[string]any { return map[string]any{rpcMethodKey: queue} }
	c.receiveAll(t,
		// No service has replied.
		step{trace: 2, id: 1, service: "gateway", kind: client, end: time.Second, failed: "timeout", attributes: to("things.get")},
		// A call over HTTP, to a service that queries a database and makes a call over a queue whose name says nothing.
		step{trace: 3, id: 1, service: "web", kind: client, end: 3 * time.Millisecond},
		step{trace: 3, id: 2, parent: 1, service: "node", kind: server, end: 2 * time.Millisecond},
		step{
			trace: 3, id: 3, parent: 2, service: "node", kind: client,
			attributes: map[string]any{"db.system.name": "sqlite", rpcMethodKey: "no.queue"},
		},
		step{
			trace: 3, id: 4, parent: 2, service: "node", kind: tracepb.Span_SPAN_KIND_PRODUCER,
			attributes: map[string]any{"messaging.rabbitmq.routing_key": "jobs"},
		},
		step{
			trace: 3, id: 5, parent: 4, service: "worker", kind: tracepb.Span_SPAN_KIND_CONSUMER,
			attributes: map[string]any{destinationKey: "jobs"},
		},
		// A reply.
		step{
			trace: 3, id: 6, parent: 5, service: "worker", kind: tracepb.Span_SPAN_KIND_PRODUCER,
			attributes: map[string]any{"messaging.rabbitmq.routing_key": "node.rpc.response"},
		},
	)
	got := get[mapResponse](t, c, "/api/map")
	near := cmpopts.EquateApprox(0.001, 0)
	per := func(n float64) float64 { return n / got.Window }
	edges := []edgeView{
		{edge: edge{"gateway", "things", "things.get"}, rates: rates{per(2), 0.5, 1000}},
		{edge: edge{"node", "worker", "jobs"}, rates: rates{Rate: per(1)}},
		{edge: edge{"web", "node", ""}, rates: rates{per(1), 0, 2}},
	}
	if diff := cmp.Diff(edges, got.Edges, near, cmp.AllowUnexported(edgeView{})); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	found := map[string]serviceView{}
	for _, s := range got.Services {
		found[s.Name] = s
	}
	for _, want := range []serviceView{
		{Name: "gateway", rates: rates{per(1), 0, 12}},
		{Name: "things", rates: rates{per(1), 0, 3}},
		{Name: "worker", rates: rates{Rate: per(1)}},
	} {
		if diff := cmp.Diff(want, found[want.Name], near, cmp.AllowUnexported(serviceView{})); diff != "" {
			t.Errorf("service (-want +got):\n%s", diff)
		}
	}
	if got.Window < 1 || got.Window > mapWindow.Seconds() {
		t.Errorf("window %v s", got.Window)
	}
}

// TestMapOfSample: a kept trace stands for those that were not kept.
func TestMapOfSample(t *testing.T) {
	m := &serviceMap{map[string]*sample{}, map[edge]*sample{}}
	var spans []*span
	for _, s := range listOrders {
		spans = append(spans, newSpan(s.service, s.encode()))
	}
	m.add(trace{spans: spans, weight: 4})
	if got := m.edges[edge{"gateway", "things", "things.get"}].rates(2 * time.Second).Rate; math.Abs(got-2) > 1e-9 {
		t.Errorf("rate %v, want 2", got)
	}
	var s sample
	for n := range 100 {
		s.add(&span{end: int64(100-n) * int64(time.Millisecond)}, 1)
	}
	if got := s.rates(time.Second).P95; got != 95 {
		t.Errorf("p95 %v, want 95", got)
	}
}

// TestMapOfRefusals: a service that refuses bad requests has no errors.
func TestMapOfRefusals(t *testing.T) {
	for status, want := range map[string]float64{"404": 0, "500": 1, "": 1} {
		var s sample
		s.add(&span{Status: "error", Attributes: map[string]any{rpcStatusKey: status}}, 1)
		if got := s.rates(time.Second).ErrorShare; got != want {
			t.Errorf("status %q: error share %v, want %v", status, got, want)
		}
	}
}
