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

type greeterConfig struct {
	Greeting string `name:"greeter-greeting" env:"GREETER_GREETING" default:"Hello" help:"What to say."`
}

type greet struct {
	Name string `json:"name" validate:"required"`
}

// newGreeter describes a service with one method. A service's main gives it to service.Main.
func newGreeter() service.Service {
	return service.Service{
		Name:      "greeter",
		AdminAddr: "127.0.0.1:9099",
		Config:    &greeterConfig{},
		Module: fx.Invoke(func(server *rpc.Server, config *greeterConfig) {
			rpc.Handle(server, "greeter.greet", func(_ context.Context, in greet) (string, error) {
				return config.Greeting + ", " + in.Name, nil
			})
		}),
	}
}

// Two services in one process, over the broker inside it.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	broker := inmem.NewServer()
	quiet := service.WithOutput(io.Discard, io.Discard)

	ready, stopped := make(chan service.Info), make(chan error)
	go func() {
		stopped <- service.Run(ctx, newGreeter(), []string{"--admin-addr=", "--greeter-greeting=Good morning"},
			service.WithBroker(broker.Connect()), quiet, service.WithReady(func(i service.Info) { ready <- i }))
	}()
	<-ready

	visitor := service.Service{
		Name: "visitor",
		Module: fx.Invoke(func(l fx.Lifecycle, client *rpc.Client) {
			l.Append(fx.StartHook(func(ctx context.Context) error {
				text, err := rpc.Call[greet, string](ctx, client, "greeter.greet", greet{Name: "Ada"})
				fmt.Println(text)
				return err
			}))
		}),
	}
	err := service.Run(ctx, visitor, nil, service.WithBroker(broker.Connect()), quiet,
		service.WithReady(func(service.Info) { cancel() }))
	fmt.Println(err, <-stopped)

	// Output:
	// Good morning, Ada
	// <nil> <nil>
}
