package telemetry_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/telemetry"
	"example.com/warren/pkg/telemetry/telemetrytest"
)

// start returns traces that are exported to a receiver.
func start(t *testing.T) (*telemetry.Traces, *telemetrytest.Receiver) {
	t.Helper()
	receiver := telemetrytest.NewReceiver(t)
	for name, value := range receiver.Environment() {
		t.Setenv(name, value)
	}
	traces := telemetry.Start(t.Context(), telemetry.Service{Name: "test", Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { traces.Stop(context.WithoutCancel(t.Context())) })
	return traces, receiver
}

// What went wrong is on the spans as a status and a type, never as a text, which may have what belongs to the user.
func TestOutcome(t *testing.T) {
	secret := errors.New("user ada is not in the table")
	type outcome struct {
		Failed            bool
		Status, ErrorType any
	}
	tests := map[string]struct {
		reply          *rpc.Reply
		err            error
		client, server outcome
	}{
		"success":  {reply: &rpc.Reply{Status: 201}, client: outcome{false, "201", nil}, server: outcome{false, "201", nil}},
		"refusal":  {reply: &rpc.Reply{Status: 404}, client: outcome{true, "404", "404"}, server: outcome{false, "404", nil}},
		"failure":  {reply: &rpc.Reply{Status: 500}, client: outcome{true, "500", "500"}, server: outcome{true, "500", "500"}},
		"error":    {err: secret, client: outcome{true, nil, "error"}, server: outcome{true, "500", "500"}},
		"time-out": {err: rpc.ErrTimeout, client: outcome{true, nil, "timeout"}, server: outcome{true, "504", "504"}},
		"conflict": {err: rpc.Conflict("ada was first"), client: outcome{true, nil, "error"}, server: outcome{false, "409", nil}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			traces, receiver := start(t)
			f := func(context.Context, *rpc.Request) (*rpc.Reply, error) { return test.reply, test.err }
			for _, intercept := range []rpc.Interceptor{traces.Client(), traces.Server()} {
				reply, err := intercept(f)(t.Context(), &rpc.Request{Queue: "orders.get"})
				if reply != test.reply || !errors.Is(err, test.err) {
					t.Errorf("got %v, %v", reply, err)
				}
			}
			spans := receiver.Await(t, "two spans", func(s []telemetrytest.Span) bool { return len(s) == 2 })
			for i, want := range []outcome{test.client, test.server} {
				a := spans[i].Attributes
				got := outcome{spans[i].Failed, a["rpc.response.status_code"], a["error.type"]}
				if diff := cmp.Diff(want, got); diff != "" || spans[i].StatusDescription != "" || spans[i].Events != nil {
					t.Errorf("%s: -want +got:\n%s%q %v", spans[i].Name, diff, spans[i].StatusDescription, spans[i].Events)
				}
			}
		})
	}
}

// A trace that is not sampled is passed on as such, so that no service samples a part of it.
func TestUnsampled(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
	traces, receiver := start(t)
	header := http.Header{"Tracestate": {"of=another"}, "Accept": {"a"}}
	var sent http.Header
	_, err := traces.Client()(func(_ context.Context, r *rpc.Request) (*rpc.Reply, error) {
		sent = r.Header
		return traces.Server()(func(ctx context.Context, _ *rpc.Request) (*rpc.Reply, error) {
			if trace.SpanFromContext(ctx).IsRecording() {
				t.Error("the handler's span is recorded")
			}
			return &rpc.Reply{Status: 200}, nil
		})(context.WithoutCancel(t.Context()), r)
	})(t.Context(), &rpc.Request{Queue: "orders.get", Header: header})
	if err != nil {
		t.Fatal(err)
	}
	parent := sent.Get("Traceparent")
	if len(parent) != 55 || parent[52:] != "-00" || sent.Get("Tracestate") != "" || sent.Get("Accept") != "a" {
		t.Errorf("sent %v", sent)
	}
	if diff := cmp.Diff(http.Header{"Tracestate": {"of=another"}, "Accept": {"a"}}, header); diff != "" {
		t.Errorf("the caller's header was changed: -want +got:\n%s", diff)
	}
	traces.Stop(t.Context())
	if spans := receiver.Spans(); len(spans) > 0 {
		t.Errorf("received %v", spans)
	}
}

// Without a span in its context, a call belongs to the trace that the request names.
func TestClientOfAnotherTrace(t *testing.T) {
	traces, receiver := start(t)
	request := &rpc.Request{Queue: "orders.get", Header: http.Header{
		"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "Tracestate": {"a=1"},
	}}
	var sent http.Header
	_, err := traces.Client()(func(_ context.Context, r *rpc.Request) (*rpc.Reply, error) {
		sent = r.Header
		return &rpc.Reply{Status: 200}, nil
	})(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	span := receiver.Await(t, "a span", func(s []telemetrytest.Span) bool { return len(s) == 1 })[0]
	if span.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" || span.ParentID != "00f067aa0ba902b7" {
		t.Errorf("span %+v", span)
	}
	want := http.Header{"Traceparent": {"00-" + span.TraceID + "-" + span.ID + "-01"}, "Tracestate": {"a=1"}}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Traces that are off leave the calls as they are: there is nothing between the chassis and what it calls.
func TestOff(t *testing.T) {
	var off *telemetry.Traces
	f := rpc.Func(func(context.Context, *rpc.Request) (*rpc.Reply, error) { return nil, nil })
	for name, intercept := range map[string]rpc.Interceptor{"client": off.Client(), "server": off.Server()} {
		if reflect.ValueOf(intercept(f)).Pointer() != reflect.ValueOf(f).Pointer() {
			t.Errorf("%s: the function was wrapped", name)
		}
	}
	if telemetry.IsOn(off.Provider()) {
		t.Error("the provider is on")
	}
	off.Stop(t.Context())
}

func BenchmarkCall(b *testing.B) {
	reply := &rpc.Reply{Status: 200}
	f := func(context.Context, *rpc.Request) (*rpc.Reply, error) { return reply, nil }
	run := func(name string, traces *telemetry.Traces) {
		b.Run(name, func(b *testing.B) {
			call := traces.Client()(traces.Server()(f))
			header := http.Header{"Accept": {"application/json"}}
			request := &rpc.Request{Queue: "orders.get"}
			b.ReportAllocs()
			for b.Loop() {
				request.Header = header
				_, _ = call(b.Context(), request)
			}
		})
	}
	run("off", nil)
	receiver := telemetrytest.NewReceiver(b)
	for name, value := range receiver.Environment() {
		b.Setenv(name, value)
	}
	for name, sampler := range map[string]string{"unsampled": "parentbased_always_off", "sampled": "parentbased_always_on"} {
		b.Setenv("OTEL_TRACES_SAMPLER", sampler)
		traces := telemetry.Start(b.Context(), telemetry.Service{Name: "test", Logger: slog.New(slog.DiscardHandler), Failed: func(int) {}})
		run(name, traces)
		traces.Stop(b.Context())
	}
}
