package service_test

import (
	"context"
	"errors"
	"io"
	"net"
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
)

// hook records its start and stop.
func (e *events) hook(start, stop string) fx.Hook {
	return fx.Hook{
		OnStart: func(context.Context) error { e.add(start); return nil },
		OnStop:  func(context.Context) error { e.add(stop); return nil },
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

// orderModule has all that a service can have: a database, a client, handlers, a listener of its own.
func orderModule(e *events, group func(...fx.Option) fx.Option) fx.Option {
	return group(
		fx.Provide(func(l fx.Lifecycle, _ *rpc.Client) *store {
			l.Append(e.hook("open store", "close store"))
			return &store{}
		}),
		fx.Invoke(func(s *rpc.Server, _ *store) { rpc.Handle(s, "orders.get", getOrderByID) }),
		fx.Invoke(func(l fx.Lifecycle) { l.Append(e.hook("open listener", "close listener")) }),
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
			e := &events{}
			var addr string
			broker := recordingBroker{Broker: inmem.New(), events: e, onClose: func() {
				_, body := get(t, addr, "/readyz")
				e.add("admin: " + body)
			}}
			i := launch(t, service.Service{Name: "orders", Module: orderModule(e, group)}, broker)
			addr = i.awaitStart()
			if err := i.stop(); err != nil {
				t.Error(err)
			}
			want := []string{
				"consume orders.rpc.response", "open store", "open listener", "consume orders.get",
				"drain orders.get", "close listener", "close store", "drain orders.rpc.response",
				"close broker", `admin: {"status":"unavailable","reasons":{"service":"stopping"}}`,
			}
			if diff := cmp.Diff(want, e.all()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr); err == nil {
				_ = connection.Close()
				t.Error("the admin listener is still open")
			}
		})
	}
}

func TestClientIsMadeOnDemand(t *testing.T) {
	e := &events{}
	module := fx.Invoke(func(s *rpc.Server) { rpc.Handle(s, "orders.get", getOrderByID) })
	i := launch(t, service.Service{Name: "orders", Module: module}, recordingBroker{Broker: inmem.New(), events: e})
	i.awaitStart()
	if err := i.stop(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"consume orders.get", "drain orders.get", "close broker"}, e.all()); diff != "" {
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
	i := launch(t, service.Service{Name: "orders", Config: own, Module: fx.Populate(&got, &shared)}, inmem.New(),
		"--orders-size=3", "--rpc-timeout=7s")
	i.awaitStart()
	if got != own || got.Size != 3 || shared.RPCTimeout != 7*time.Second {
		t.Errorf("got %+v and %+v", got, shared)
	}
}

func TestHandlersThatRunAreAwaited(t *testing.T) {
	running, release := make(chan struct{}), make(chan struct{})
	server := inmem.NewServer()
	module := fx.Invoke(func(s *rpc.Server) {
		rpc.Handle(s, "orders.get", func(context.Context, rpc.Empty) (order, error) {
			close(running)
			<-release
			return order{ID: "7"}, nil
		})
	})
	i := launch(t, service.Service{Name: "orders", Module: module}, server.Connect())
	addr := i.awaitStart()
	gateway, caller := launchCaller(t, server)
	answer := make(chan string, 1)
	go func() {
		out, err := rpc.Call[rpc.Empty, order](t.Context(), caller, "orders.get", rpc.Empty{})
		answer <- out.ID + errorText(err)
	}()
	<-running
	i.cancel()
	awaittest.Until(t, "not ready while stopping", func() bool {
		_, body := get(t, addr, "/readyz")
		return strings.Contains(body, "stopping")
	})
	close(release)
	if got := <-answer; got != "7" {
		t.Errorf("answer %q", got)
	}
	if err := i.await(); err != nil {
		t.Error(err)
	}
	if err := gateway.stop(); err != nil {
		t.Error(err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// launchCaller runs a service that has nothing but a client.
func launchCaller(t *testing.T, server *inmem.Server) (*instance, *rpc.Client) {
	t.Helper()
	var client *rpc.Client
	i := launch(t, service.Service{Name: "gateway", Module: fx.Populate(&client)}, server.Connect())
	i.awaitStart()
	return i, client
}

// runInBubble runs a service without a listener, tells it to stop once it has started, and returns how long the stop
// took.
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
		e := &events{}
		module := fx.Invoke(func(l fx.Lifecycle) {
			l.Append(e.hook("open store", "close store"))
			l.Append(fx.Hook{OnStop: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		})
		took, err := runInBubble(t, module, recordingBroker{Broker: inmem.New(), events: e}, "--stop-timeout=3s")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took != 3*time.Second {
			t.Errorf("the stop took %s", took)
		}
		// What comes after the hook that took all of the time is closed nevertheless.
		if diff := cmp.Diff([]string{"open store", "close store", "close broker"}, e.all()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestStopTimeoutOfHookThatIgnoresIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		module := fx.Invoke(func(l fx.Lifecycle) {
			l.Append(fx.Hook{OnStop: func(context.Context) error { <-release; return nil }})
		})
		took, err := runInBubble(t, module, inmem.New(), "--stop-timeout=3s")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took != 4*time.Second { // and a second's grace
			t.Errorf("the stop took %s", took)
		}
	})
}

func TestStopTimeoutCutsOffHandlers(t *testing.T) {
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
			t.Errorf("error %v", err)
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
					t.Errorf("the hook has until %s", deadline)
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
	e := &events{}
	module := fx.Invoke(func(l fx.Lifecycle) {
		l.Append(e.hook("open store", "close store"))
		l.Append(fx.Hook{OnStart: func(context.Context) error { return errors.New("no disk") }})
		l.Append(e.hook("open listener", "close listener"))
	})
	i := launch(t, service.Service{Name: "orders", Module: module}, recordingBroker{Broker: inmem.New(), events: e})
	if err := i.await(); err == nil || err.Error() != "orders: no disk" {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"open store", "close store", "close broker"}, e.all()); diff != "" {
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
			e := &events{}
			err := launch(t, service.Service{Name: "orders", Module: test.module},
				recordingBroker{Broker: inmem.New(), events: e}).await()
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), ".go:") && name != "missing constructor" {
				t.Errorf("error %q names source lines", err)
			}
			if diff := cmp.Diff([]string{"close broker"}, e.all()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongSettingsCloseTheBroker(t *testing.T) {
	e := &events{}
	i := launch(t, service.Service{Name: "orders"}, recordingBroker{Broker: inmem.New(), events: e}, "--log-format=xml")
	if err := i.await(); err == nil || !strings.HasPrefix(err.Error(), "orders: LOG_FORMAT ") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"close broker"}, e.all()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAdminAddressInUse(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	err = launch(t, service.Service{Name: "orders"}, inmem.New(), "--admin-addr="+listener.Addr().String()).await()
	if err == nil || !strings.Contains(err.Error(), "ADMIN_ADDR") {
		t.Errorf("error %v", err)
	}
}

func TestFail(t *testing.T) {
	broken := errors.New("listener broke")
	e := &events{}
	var fail service.Fail
	i := launch(t, service.Service{Name: "orders", Module: fx.Options(
		fx.Populate(&fail),
		fx.Invoke(func(l fx.Lifecycle) { l.Append(e.hook("open store", "close store")) }),
	)}, inmem.New(), "--stop-delay=1h") // which is for load balancers, not for what is broken
	i.awaitStart()
	fail(broken)
	fail(errors.New("later"))
	if err := i.await(); !errors.Is(err, broken) || strings.Contains(err.Error(), "later") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"open store", "close store"}, e.all()); diff != "" {
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
	if err := launch(t, service.Service{Name: "orders", Module: module}, inmem.New()).await(); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

func TestShutdowner(t *testing.T) {
	var shutdowner fx.Shutdowner
	i := launch(t, service.Service{Name: "orders", Module: fx.Populate(&shutdowner)}, inmem.New())
	i.awaitStart()
	if err := shutdowner.Shutdown(fx.ExitCode(3)); err == nil {
		t.Error("an exit code was lost")
	}
	if err := shutdowner.Shutdown(); err != nil {
		t.Error(err)
	}
	if err := i.await(); err != nil {
		t.Error(err)
	}
}

func TestCallbackQueue(t *testing.T) {
	server := inmem.NewServer()
	gateway := func(instance string) service.Service {
		return service.Service{Name: "gateway", Module: fx.Options(
			fx.Supply(service.CallbackQueue{Instance: instance, Variable: "GATEWAY_INSTANCE"}),
			fx.Invoke(func(*rpc.Client) {}),
		)}
	}
	first, e := launch(t, gateway(""), server.Connect()), &events{}
	first.awaitStart()

	err := launch(t, gateway(""), server.Connect()).await()
	if !errors.Is(err, messaging.ErrQueueInUse) || !strings.HasSuffix(err.Error(), "set GATEWAY_INSTANCE") {
		t.Errorf("error %v", err)
	}

	second := launch(t, gateway("b"), recordingBroker{Broker: server.Connect(), events: e})
	second.awaitStart()
	if !slices.Contains(e.all(), "consume gateway.rpc.response.b") {
		t.Errorf("events %v", e.all())
	}
}

func TestLogFormat(t *testing.T) {
	i := launch(t, service.Service{Name: "orders"}, inmem.New(), "--log-format=text")
	i.awaitStart()
	if err := i.stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(i.log.String(), `level=INFO msg="service started" service=orders`) {
		t.Errorf("log:\n%s", i.log)
	}
}

func TestLogLevel(t *testing.T) {
	quiet := launch(t, service.Service{Name: "orders"}, inmem.New(), "--log-level=warn")
	quiet.awaitStart()
	if err := quiet.stop(); err != nil || quiet.log.String() != "" {
		t.Errorf("error %v, log:\n%s", err, quiet.log)
	}
	loud := launch(t, service.Service{Name: "orders"}, inmem.New(), "--log-level=debug")
	loud.awaitStart()
	if err := loud.stop(); err != nil {
		t.Error(err)
	}
	if len(loud.log.entries("OnStart hook executed")) == 0 {
		t.Errorf("fx says nothing:\n%s", loud.log)
	}
}
