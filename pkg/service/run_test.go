package service_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/fx"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/service/servicetest"
)

// hook returns a hook that records when it runs.
func hook(r *servicetest.Recorder, start, stop string) fx.Hook {
	return fx.Hook{
		OnStart: func(context.Context) error { r.Note(start); return nil },
		OnStop:  func(context.Context) error { r.Note(stop); return nil },
	}
}

type store struct{}

type getOrder struct {
	ID string `json:"-" param:"id"`
}

type order struct {
	ID string `json:"id"`
}

func getOrderByID(_ context.Context, in getOrder) (order, error) {
	if in.ID == "0" {
		return order{}, rpc.NotFound("order %s", in.ID)
	}
	return order(in), nil
}

// orderModule has everything that a service can have: a database, a client, a handler and its own listener.
func orderModule(broker *servicetest.Recorder, group func(...fx.Option) fx.Option) fx.Option {
	return group(
		fx.Provide(func(l fx.Lifecycle, _ *rpc.Client) *store {
			l.Append(hook(broker, "open store", "close store"))
			return &store{}
		}),
		fx.Invoke(func(s *rpc.Server, _ *store) { rpc.Handle(s, "orders.get", getOrderByID) }),
		fx.Invoke(func(l fx.Lifecycle) { l.Append(hook(broker, "open listener", "close listener")) }),
	)
}

func TestOrder(t *testing.T) {
	groups := map[string]func(...fx.Option) fx.Option{
		"options": fx.Options,
		"module":  func(o ...fx.Option) fx.Option { return fx.Module("orders", o...) },
		"nested":  func(o ...fx.Option) fx.Option { return fx.Module("a", fx.Module("b", o...)) },
	}
	for name, group := range groups {
		t.Run(name, func(t *testing.T) {
			broker := servicetest.Record(inmem.New())
			var addr string
			broker.OnClose = func() {
				_, body := get(t, addr, "/readyz")
				broker.Note("admin: " + body)
			}
			i := servicetest.Start(t, service.Service{Name: "orders", Module: orderModule(broker, group)}, broker)
			addr = i.AwaitStart()
			i.Stop()
			want := []string{
				"consume orders.rpc.response", "open store", "open listener", "consume orders.get",
				"drain orders.get", "close listener", "close store", "drain orders.rpc.response",
				"close broker", `admin: {"status":"unavailable","reasons":{"service":"stopping"}}`,
			}
			if diff := cmp.Diff(want, broker.Events()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr); err == nil {
				_ = connection.Close()
				t.Error("the admin listener is still open")
			}
		})
	}
}

func TestClientIsCreatedOnDemand(t *testing.T) {
	broker := servicetest.Record(inmem.New())
	module := fx.Invoke(func(s *rpc.Server) { rpc.Handle(s, "orders.get", getOrderByID) })
	i := servicetest.Run(t, service.Service{Name: "orders", Module: module}, broker)
	i.Stop()
	if diff := cmp.Diff([]string{"consume orders.get", "drain orders.get", "close broker"}, broker.Events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestConfigIsSupplied(t *testing.T) {
	type config struct {
		Size int `name:"orders-size" env:"ORDERS_SIZE" default:"1"`
	}
	own := &config{}
	var got *config
	var shared *service.Config
	servicetest.Run(t, service.Service{Name: "orders", Config: own, Module: fx.Populate(&got, &shared)}, inmem.New(),
		"--orders-size=3", "--rpc-timeout=7s")
	if got != own || got.Size != 3 || shared.RPCTimeout != 7*time.Second {
		t.Errorf("got %+v and %+v", got, shared)
	}
}

func TestStopWaitsForHandlers(t *testing.T) {
	running, release := make(chan struct{}), make(chan struct{})
	server := inmem.NewServer()
	module := fx.Invoke(func(s *rpc.Server) {
		rpc.Handle(s, "orders.get", func(context.Context, rpc.Empty) (order, error) {
			close(running)
			<-release
			return order{ID: "7"}, nil
		})
	})
	i := servicetest.Start(t, service.Service{Name: "orders", Module: module}, server.Connect())
	addr := i.AwaitStart()
	gateway, caller := launchCaller(t, server)
	result := make(chan string, 1)
	go func() {
		out, err := rpc.Call[rpc.Empty, order](t.Context(), caller, "orders.get", rpc.Empty{})
		result <- out.ID + errorText(err)
	}()
	<-running
	i.Cancel()
	awaittest.Until(t, "not ready while stopping", func() bool {
		_, body := get(t, addr, "/readyz")
		return strings.Contains(body, "stopping")
	})
	close(release)
	if got := <-result; got != "7" {
		t.Errorf("the call returned %q, want 7", got)
	}
	if err := i.Wait(); err != nil {
		t.Error(err)
	}
	gateway.Stop()
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// launchCaller runs a service that consists of a client.
func launchCaller(t *testing.T, server *inmem.Server) (*servicetest.Instance, *rpc.Client) {
	t.Helper()
	var client *rpc.Client
	i := servicetest.Run(t, service.Service{Name: "gateway", Module: fx.Populate(&client)}, server.Connect())
	return i, client
}

// runInBubble runs a service without a listener, stops it once it has started, and returns how long the stop took.
func runInBubble(t *testing.T, module fx.Option, broker messaging.Broker, args ...string) (time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begin time.Time
	err := service.Run(ctx, service.Service{Name: "orders", Module: module}, args,
		service.WithBroker(broker), service.WithOutput(io.Discard, io.Discard),
		service.WithReady(func(service.Info) { begin = time.Now(); cancel() }))
	return time.Since(begin), err
}

func TestStopTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := servicetest.Record(inmem.New())
		module := fx.Invoke(func(l fx.Lifecycle) {
			l.Append(hook(broker, "open store", "close store"))
			l.Append(fx.Hook{OnStop: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		})
		took, err := runInBubble(t, module, broker, "--stop-timeout=3s")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run = %v", err)
		}
		if took != 3*time.Second {
			t.Errorf("the stop took %s", took)
		}
		// Everything after the hook that took all the time is closed nevertheless.
		if diff := cmp.Diff([]string{"open store", "close store", "close broker"}, broker.Events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestStopLeavesStuckHooksBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		module := fx.Invoke(func(l fx.Lifecycle) {
			l.Append(fx.Hook{OnStop: func(context.Context) error { <-release; return nil }})
		})
		took, err := runInBubble(t, module, inmem.New(), "--stop-timeout=3s")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run = %v", err)
		}
		if took != 4*time.Second { // STOP_TIMEOUT and stopGrace
			t.Errorf("the stop took %s", took)
		}
	})
}

func TestStopTimeoutCancelsHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := make(chan struct{})
		server := inmem.NewServer()
		module := fx.Invoke(func(s *rpc.Server) {
			rpc.Handle(s, "orders.get", func(ctx context.Context, _ rpc.Empty) (rpc.Empty, error) {
				close(running)
				<-ctx.Done()
				return rpc.Empty{}, ctx.Err()
			})
		})
		peer := server.Connect()
		defer func() { _ = peer.Close(t.Context()) }()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-running
			cancel()
		}()
		begin := time.Now()
		err := service.Run(ctx, service.Service{Name: "orders", Module: module}, []string{"--stop-timeout=3s"},
			service.WithBroker(server.Connect()), service.WithOutput(io.Discard, io.Discard),
			service.WithReady(func(service.Info) {
				if err := peer.Send(ctx, "orders.get", messaging.Message{Type: "rpc.request", CorrelationID: "1"}); err != nil {
					t.Error(err)
				}
			}))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run = %v", err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("the stop took %s", took)
		}
	})
}

func TestStopDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stopped time.Time
		begin := time.Now()
		module := fx.Invoke(func(l fx.Lifecycle) {
			l.Append(fx.Hook{OnStop: func(ctx context.Context) error {
				stopped = time.Now()
				if deadline, _ := ctx.Deadline(); deadline.Sub(stopped) != 3*time.Second {
					t.Errorf("the hook's deadline is in %s, want 3s", deadline.Sub(stopped))
				}
				return nil
			}})
		})
		took, err := runInBubble(t, module, inmem.New(), "--stop-timeout=3s", "--stop-delay=7s")
		if err != nil {
			t.Error(err)
		}
		if took != 7*time.Second || stopped.Sub(begin) != 7*time.Second {
			t.Errorf("the stop took %s and began after %s", took, stopped.Sub(begin))
		}
	})
}

func TestFailedStart(t *testing.T) {
	broker := servicetest.Record(inmem.New())
	module := fx.Invoke(func(l fx.Lifecycle) {
		l.Append(hook(broker, "open store", "close store"))
		l.Append(fx.Hook{OnStart: func(context.Context) error { return errors.New("no disk") }})
		l.Append(hook(broker, "open listener", "close listener"))
	})
	i := servicetest.Start(t, service.Service{Name: "orders", Module: module}, broker)
	if err := i.Wait(); err == nil || err.Error() != "orders: no disk" {
		t.Errorf("Run = %v", err)
	}
	if diff := cmp.Diff([]string{"open store", "close store", "close broker"}, broker.Events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestWiringErrors(t *testing.T) {
	tests := map[string]struct {
		module fx.Option
		want   []string
	}{
		"constructor": {
			module: fx.Options(
				fx.Provide(func() (*store, error) { return nil, errors.New("open the database: no disk") }),
				fx.Invoke(func(*store) {}),
			),
			want: []string{"orders: open the database: no disk"},
		},
		"invoke": {
			module: fx.Invoke(func() error { return errors.New("no key") }),
			want:   []string{"orders: no key"},
		},
		"missing constructor": {module: fx.Invoke(func(*store) {}), want: []string{"orders: ", "missing type", "store"}},
		"registration": {
			module: fx.Invoke(func(s *rpc.Server) {
				rpc.Handle(s, "orders.get", getOrderByID)
				rpc.Handle(s, "orders.get", getOrderByID)
			}),
			want: []string{"orders: ", "orders.get"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			broker := servicetest.Record(inmem.New())
			err := servicetest.Start(t, service.Service{Name: "orders", Module: test.module}, broker).Wait()
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), ".go:") && name != "missing constructor" {
				t.Errorf("error %q has source lines", err)
			}
			if diff := cmp.Diff([]string{"close broker"}, broker.Events()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongSettingsCloseTheBroker(t *testing.T) {
	broker := servicetest.Record(inmem.New())
	i := servicetest.Start(t, service.Service{Name: "orders"}, broker, "--log-format=xml")
	if err := i.Wait(); err == nil || !strings.HasPrefix(err.Error(), "orders: LOG_FORMAT ") {
		t.Errorf("Run = %v", err)
	}
	if diff := cmp.Diff([]string{"close broker"}, broker.Events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAdminAddressInUse(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	err = servicetest.Start(t, service.Service{Name: "orders"}, inmem.New(), "--admin-addr="+listener.Addr().String()).Wait()
	if err == nil || !strings.Contains(err.Error(), "ADMIN_ADDR") {
		t.Errorf("Run = %v", err)
	}
}

func TestFail(t *testing.T) {
	broken := errors.New("listener broke")
	broker := servicetest.Record(inmem.New())
	var fail service.Fail
	i := servicetest.Start(t, service.Service{Name: "orders", Module: fx.Options(
		fx.Populate(&fail),
		fx.Invoke(func(l fx.Lifecycle) { l.Append(hook(broker, "open store", "close store")) }),
	)}, broker, "--stop-delay=1h") // applies only to an orderly stop
	i.AwaitStart()
	fail(broken)
	fail(errors.New("later"))
	if err := i.Wait(); !errors.Is(err, broken) || strings.Contains(err.Error(), "later") {
		t.Errorf("Run = %v", err)
	}
	if diff := cmp.Diff([]string{"open store", "close store", "close broker"}, broker.Events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestFailDuringStart(t *testing.T) {
	broken := errors.New("listener broke")
	module := fx.Invoke(func(l fx.Lifecycle, fail service.Fail) {
		l.Append(fx.Hook{OnStart: func(ctx context.Context) error {
			fail(broken)
			<-ctx.Done()
			return ctx.Err()
		}})
	})
	if err := servicetest.Start(t, service.Service{Name: "orders", Module: module}, inmem.New()).Wait(); !errors.Is(err, broken) {
		t.Errorf("Run = %v", err)
	}
}

func TestShutdowner(t *testing.T) {
	var shutdowner fx.Shutdowner
	i := servicetest.Run(t, service.Service{Name: "orders", Module: fx.Populate(&shutdowner)}, inmem.New())
	if err := shutdowner.Shutdown(fx.ExitCode(3)); err == nil {
		t.Error("Shutdown accepted an exit code")
	}
	if err := shutdowner.Shutdown(); err != nil {
		t.Error(err)
	}
	if err := i.Wait(); err != nil {
		t.Error(err)
	}
}

// TestCallbackQueue runs several processes of a service that makes calls: each has its callback queue, or fails to start.
func TestCallbackQueue(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	server := inmem.NewServer()
	caller := service.Service{Name: "shop", Module: fx.Invoke(func(*rpc.Client) {})}
	for instance, queue := range map[string]string{
		"":         "shop.rpc.response",
		"b":        "shop.rpc.response.b",
		"pod-7f.b": "shop.rpc.response.pod-7f.b",
		"hostname": "shop.rpc.response." + host,
	} {
		t.Run(queue, func(t *testing.T) {
			for range 2 { // a process that starts again has the queue of the one before
				broker := servicetest.Record(server.Connect())
				first := servicetest.Run(t, caller, broker, "--rpc-instance="+instance)
				if !slices.Contains(broker.Events(), "consume "+queue) {
					t.Errorf("events %v, want that it consumes %s", broker.Events(), queue)
				}
				err := servicetest.Start(t, caller, server.Connect(), "--rpc-instance="+instance).Wait()
				if !errors.Is(err, messaging.ErrQueueInUse) || !strings.HasSuffix(err.Error(), "set RPC_INSTANCE") {
					t.Errorf("a second process: %v", err)
				}
				first.Stop()
			}
		})
	}
}

func TestRolesOfTheBroker(t *testing.T) {
	var broker messaging.Broker
	var publisher messaging.Publisher
	var sender messaging.Sender
	var subscriber messaging.Subscriber
	servicetest.Run(t, service.Service{Name: "orders", Module: fx.Populate(&broker, &publisher, &sender, &subscriber)}, inmem.New())
	if publisher != broker || sender != broker || subscriber != broker {
		t.Errorf("got %v, %v and %v, want the broker", publisher, sender, subscriber)
	}
}

func TestLogShowsTheBuild(t *testing.T) {
	i := servicetest.Run(t, service.Service{Name: "orders"}, inmem.New())
	entry := i.Log.Await(t, "service starting")
	if build := service.ReadBuild(); entry["version"] != build.Version || entry["commit"] != build.Commit {
		t.Errorf("entry %v, want %v", entry, build)
	}
}

func TestLogFormat(t *testing.T) {
	i := servicetest.Run(t, service.Service{Name: "orders"}, inmem.New(), "--log-format=text")
	i.Stop()
	if !strings.Contains(i.Log.String(), `level=INFO msg="service started" service=orders`) {
		t.Errorf("log:\n%s", i.Log)
	}
}

func TestLogLevel(t *testing.T) {
	quiet := servicetest.Run(t, service.Service{Name: "orders"}, inmem.New(), "--log-level=warn")
	quiet.Stop()
	if text := quiet.Log.String(); text != "" {
		t.Errorf("log:\n%s", text)
	}
	loud := servicetest.Run(t, service.Service{Name: "orders"}, inmem.New(), "--log-level=debug")
	loud.Stop()
	if len(loud.Log.Entries("OnStart hook executed")) == 0 {
		t.Errorf("the log has no events of fx:\n%s", loud.Log)
	}
}
