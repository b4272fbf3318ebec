package servicetest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/fx"
	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newGreeter() service.Service {
	return service.Service{Name: "greeter", Module: fx.Invoke(func(s *rpc.Server) {
		rpc.Handle(s, "greeter.greet", func(context.Context, rpc.Empty) (string, error) { return "Hello", nil })
	})}
}

func TestRun(t *testing.T) {
	server := inmem.NewServer()
	broker := servicetest.Record(server.ConnectAs("greeter"))
	i := servicetest.Run(t, newGreeter(), broker)
	if addr := i.AwaitStart(); addr == "" {
		t.Error("no admin address")
	}
	client := servicetest.NewClient(t, server)
	if text, err := rpc.Call[rpc.Empty, string](t.Context(), client, "greeter.greet", rpc.Empty{}); text != "Hello" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if entry := i.Log.Await(t, "service started"); entry["service"] != "greeter" {
		t.Errorf("entry %v", entry)
	}
	if queue := broker.Subscribed()["greeter.greet"]; queue.DeadLetter != "greeter.greet.dead" {
		t.Errorf("subscribed to %+v", queue)
	}
	if names := broker.TakeAddressed(); !slices.Contains(names, "test.rpc.response") {
		t.Errorf("addressed %v, not the client's queue", names)
	}
	if names := broker.TakeAddressed(); len(names) != 0 {
		t.Errorf("addressed %v since", names)
	}
	i.Stop()
	if diff := cmp.Diff([]string{"consume greeter.greet", "drain greeter.greet", "close broker"}, broker.Events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestStartThatFails(t *testing.T) {
	broken := errors.New("no disk")
	s := service.Service{Name: "greeter", Module: fx.Invoke(func() error { return broken })}
	if err := servicetest.Start(t, s, inmem.New()).Wait(); !errors.Is(err, broken) {
		t.Errorf("Wait = %v, want %v", err, broken)
	}
}

func TestHelp(t *testing.T) {
	i := servicetest.Start(t, newGreeter(), inmem.New(), "--help")
	if err := i.Wait(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(i.Log.String(), "BROKER_URL") {
		t.Errorf("the log lacks the help:\n%s", i.Log)
	}
}

// failingTest records the failure of a test that is expected to fail.
type failingTest struct {
	testing.TB
	failures []string
}

func (f *failingTest) Helper()                        {}
func (f *failingTest) Errorf(format string, _ ...any) { f.failures = append(f.failures, format) }

func TestStopReportsErrors(t *testing.T) {
	f := &failingTest{TB: t}
	module := fx.Invoke(func(l fx.Lifecycle) {
		l.Append(fx.StopHook(func() error { return errors.New("disk full") }))
	})
	servicetest.Run(f, service.Service{Name: "greeter", Module: module}, inmem.New()).Stop()
	if len(f.failures) != 1 {
		t.Errorf("failures %v, want one", f.failures)
	}
}

var _ messaging.Broker = (*servicetest.Recorder)(nil)
