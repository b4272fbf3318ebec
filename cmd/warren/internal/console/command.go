package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"example.com/warren/cmd/warren/internal/broker"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/service"
)

// Command is warren console.
type Command struct {
	Addr     string `default:"127.0.0.1:8090" placeholder:"HOST:PORT" help:"Address of the page and of the OTLP receiver (${default}); port 0 chooses a free one."`
	Token    string `env:"WARREN_CONSOLE_TOKEN" help:"Secret that the console asks for. Required unless the address is on the loopback interface."`
	Gateway  string `placeholder:"URL" help:"The gateway for requests that users try, such as http://127.0.0.1:8080."`
	As       string `placeholder:"USER" help:"Lets users of the page log in to the gateway as this user."`
	Password string `env:"WARREN_PASSWORD" help:"The user's password. Default: the user's name, as in the demo."`

	Broker service.BrokerConfig `embed:""`
}

// Help implements kong.HelpProvider.
func (*Command) Help() string {
	return "Services send their traces to it with OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:8090. Example:\n\n" +
		"  warren console --gateway http://127.0.0.1:8080"
}

// connectTimeout is when the user is told that the broker is not there.
const connectTimeout = 2 * time.Second

// Run serves the console until ctx ends.
func (c *Command) Run(ctx context.Context, k *kong.Context) (err error) {
	brokerOptions, err := broker.Options(&c.Broker, "console")
	if err != nil {
		return err
	}
	b, err := rabbitmq.New(brokerOptions) // connects in the background
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, b.Close(closing))
	}()
	options := Options{Token: c.Token, Version: service.ReadBuild().String(), Gateway: c.Gateway}
	if c.As != "" {
		options.User = &User{c.As, c.Password}
		if c.Password == "" {
			options.User.Password = c.As
		}
	}
	options.Broker = RabbitMQ(b, brokerOptions)
	console, err := Start(ctx, c.Addr, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, console.Close()) }()
	_, _ = fmt.Fprintf(k.Stdout, "The console is at %s\nCtrl-C stops it.\n", console.URL())
	if c.Token != "" {
		_, _ = fmt.Fprintf(k.Stdout, "Open %s/?token=… once, with the token in place of the dots.\n", console.URL())
	}
	select {
	case <-ctx.Done():
	case <-time.After(connectTimeout):
		if err := b.Ready(); err != nil {
			_, _ = fmt.Fprintf(k.Stderr, "The page has no queues and no dead letters until the broker is there: %v\n", broker.OneLine(err))
		}
	}
	<-ctx.Done()
	return nil
}

// RabbitMQ returns what a console needs of RabbitMQ. b is connected with these options.
func RabbitMQ(b messaging.Inspector, options rabbitmq.Options) *Broker {
	return &Broker{Kind: "rabbitmq", Inspector: b, Browse: func(ctx context.Context) (deadletter.Browser, error) {
		return rabbitmq.NewBrowser(ctx, options)
	}}
}
