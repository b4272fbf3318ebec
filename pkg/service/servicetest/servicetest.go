// Package servicetest runs whole services in tests, over the in-memory broker:
//
//	broker := inmem.NewServer()
//	orders := servicetest.Run(t, orders.New(), broker.ConnectAs("orders"), "--orders-database="+path)
//	client := servicetest.NewClient(t, broker)
//	reply, err := client.Do(t.Context(), &rpc.Request{Queue: "orders.get"})
//
// [Run] returns once the service has started. [Start] does not wait, for services whose start is to fail or has to wait
// for something. Both stop the service when the test ends. [Serve] runs methods alone, without a service around them.
//
// The chassis reads the process's environment. Give a service what a test depends on as flags, which override it, or
// with t.Setenv.
package servicetest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
)

// Instance is a service that runs in a test.
type Instance struct {
	Log *Log // what the service prints: its log, and what --help shows

	t       testing.TB
	name    string
	cancel  context.CancelFunc
	started chan struct{} // closed when the service has started, or has ended without
	info    *service.Info // nil: not started; written before started is closed
	ended   chan struct{} // closed when service.Run has returned
	err     error         // written before ended is closed
	waited  bool          // the test has seen err
}

// Run runs s and returns once it has started. It fails the test if the service ends instead.
func Run(t testing.TB, s service.Service, broker messaging.Broker, args ...string) *Instance {
	t.Helper()
	i := Start(t, s, broker, args...)
	i.AwaitStart()
	return i
}

// Start runs s with the flags in args and returns at once. Unless args say otherwise, the service listens for operators on
// a free port, takes identities that are not signed, and writes each log entry at once. It closes broker when it ends.
func Start(t testing.TB, s service.Service, broker messaging.Broker, args ...string) *Instance {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	i := &Instance{
		Log: new(Log), t: t, name: s.Name, cancel: cancel, started: make(chan struct{}), ended: make(chan struct{}),
	}
	announce := sync.OnceFunc(func() { close(i.started) })
	go func() {
		defer close(i.ended)
		defer announce()
		i.err = service.Run(ctx, s, append([]string{"--admin-addr=127.0.0.1:0", "--rpc-identity-keys=", "--log-flush-interval=0s"}, args...),
			service.WithBroker(broker),
			service.WithOutput(i.Log, i.Log),
			service.WithReady(func(info service.Info) { i.info = &info; announce() }))
	}()
	t.Cleanup(i.cleanUp)
	return i
}

func (i *Instance) cleanUp() {
	i.cancel()
	awaittest.Receive(i.t, i.ended, "end of "+i.name)
	if i.err != nil && !i.waited {
		i.t.Errorf("run %s: %v", i.name, i.err)
	}
	if i.t.Failed() {
		i.t.Logf("log of %s:\n%s", i.name, i.Log)
	}
}

// AwaitStart returns the address of the admin listener once the service has started.
func (i *Instance) AwaitStart() (adminAddr string) {
	i.t.Helper()
	awaittest.Receive(i.t, i.started, "start of "+i.name)
	if i.info == nil {
		i.t.Fatalf("%s has not started: %v", i.name, i.Wait())
	}
	return i.info.AdminAddr
}

// Cancel tells the service to stop, and returns at once.
func (i *Instance) Cancel() { i.cancel() }

// Wait returns what service.Run returned, once the service has ended.
func (i *Instance) Wait() error {
	i.t.Helper()
	awaittest.Receive(i.t, i.ended, "end of "+i.name)
	i.waited = true
	return i.err
}

// Stop stops the service and waits for its end. An error of the service fails the test.
func (i *Instance) Stop() {
	i.t.Helper()
	i.Cancel()
	if err := i.Wait(); err != nil {
		i.t.Errorf("stop %s: %v", i.name, err)
	}
}

// NewClient returns a started client with its own connection. It is closed when the test ends.
func NewClient(t testing.TB, server *inmem.Server) *rpc.Client {
	t.Helper()
	broker := server.ConnectAs("test")
	client := rpc.NewClient(broker, rpc.ClientOptions{Name: "test", Timeout: time.Minute})
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(client.Close(ctx), broker.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	return client
}

// Serve serves the methods that register registers with a server of that name. It stops when the test ends.
func Serve(t testing.TB, queues *inmem.Server, name string, register func(*rpc.Server)) {
	t.Helper()
	broker := queues.ConnectAs(name)
	server := rpc.NewServer(broker, rpc.ServerOptions{Name: name, Logger: slog.New(slog.DiscardHandler)})
	register(server)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(server.Drain(ctx), broker.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
}
