package service_test

import (
	"context"
	"fmt"
	"io"

	"go.uber.org/fx"

	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service"
)

// greeterConfig declares GREETER_GREETING, which --greeter-greeting overrides.
type greeterConfig struct {
	Greeting string `default:"Hello" validate:"required" help:"How to greet."`
}

type greetInput struct {
	Name string `json:"name" validate:"required"`
}

// greeter has the service's one method.
type greeter struct{ greeting string }

func newGreeter(config *greeterConfig) *greeter { return &greeter{config.Greeting} }

func (g *greeter) greet(_ context.Context, in greetInput) (string, error) {
	return g.greeting + ", " + in.Name, nil
}

func register(server *rpc.Server, g *greeter) { rpc.Handle(server, "greeter.greet", g.greet) }

// New describes the service. Its command consists of func main() { service.Main(New()) }.
func New() service.Service {
	return service.Service{
		Name:      "greeter",
		AdminAddr: "127.0.0.1:9099",
		Config:    new(greeterConfig),
		Module:    fx.Module("greeter", fx.Provide(fx.Private, newGreeter), fx.Invoke(register)),
	}
}

// A whole service, and a second one that calls it. Both run in this process, over the in-memory broker.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	broker := inmem.NewServer()
	quiet := service.WithOutput(io.Discard, io.Discard)

	ready, stopped := make(chan service.Info), make(chan error)
	go func() {
		stopped <- service.Run(ctx, New(), []string{"--admin-addr=", "--greeter-greeting=Good morning"},
			service.WithBroker(broker.ConnectAs("greeter")), quiet, service.WithReady(func(i service.Info) { ready <- i }))
	}()
	<-ready

	visit := func(lifecycle fx.Lifecycle, client *rpc.Client) {
		lifecycle.Append(fx.StartHook(func(ctx context.Context) error {
			text, err := rpc.Call[greetInput, string](ctx, client, "greeter.greet", greetInput{Name: "Ada"})
			fmt.Println(text)
			return err
		}))
	}
	visitor := service.Service{Name: "visitor", Module: fx.Invoke(visit)}
	err := service.Run(ctx, visitor, nil, service.WithBroker(broker.ConnectAs("visitor")), quiet,
		service.WithReady(func(service.Info) { cancel() }))
	fmt.Println(err, <-stopped)

	// Output:
	// Good morning, Ada
	// <nil> <nil>
}

// Settings lists what --help prints.
func ExampleSettings() {
	list, err := service.Settings(New())
	if err != nil {
		fmt.Println(err)
		return
	}
	first := list[0]
	fmt.Println(first.Variable, first.Flag, first.Default, "-", first.Help)

	// Output:
	// GREETER_GREETING --greeter-greeting Hello - How to greet.
}
