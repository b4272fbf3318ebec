package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/rpc/identitykeys"
)

// module returns the service's module with what it may depend on.
func (c *chassis) module() fx.Option {
	options := []fx.Option{
		fx.WithLogger(c.eventLogger),
		fx.Supply(c.config, c.logger, c.fail),
		fx.Provide(
			fx.Annotate(func() messaging.Broker { return c.broker }, fx.As(fx.Self()),
				fx.As(new(messaging.Publisher)), fx.As(new(messaging.Sender)), fx.As(new(messaging.Subscriber))),
			func() prometheus.Registerer { return c.metrics.registry },
			c.traces.Provider,
			c.newServer,
			c.newClient,
		),
		fx.Decorate(
			func(l fx.Lifecycle) fx.Lifecycle { return lifecycle{l, c.startHook, c.stopContext} },
			func() fx.Shutdowner { return shutdowner{c.fail} },
		),
	}
	if c.service.Config != nil {
		options = append(options, fx.Supply(c.service.Config))
	}
	if c.service.Module != nil {
		options = append(options, c.service.Module)
	}
	// fx runs invokes in order, those of inner modules first. The server's hook is therefore the last one.
	start := func(l fx.Lifecycle, server *rpc.Server, checks []HealthCheck) {
		c.health.checks = checks
		l.Append(fx.Hook{OnStart: server.Start, OnStop: server.Drain})
	}
	return fx.Options(append(options, fx.Invoke(fx.Annotate(start, fx.ParamTags("", "", healthCheckGroup))))...)
}

func (c *chassis) eventLogger() fxevent.Logger {
	logger := &fxevent.SlogLogger{Logger: c.logger}
	logger.UseLogLevel(slog.LevelDebug)
	logger.UseErrorLevel(slog.LevelDebug) // Run returns the errors
	return logger
}

func (c *chassis) newServer() *rpc.Server {
	options := rpc.ServerOptions{
		Name:          c.service.Name,
		Concurrency:   c.config.RPCConcurrency,
		Prefetch:      c.config.RPCPrefetch,
		QueueType:     c.config.RPCQueueType,
		DeliveryLimit: c.config.RPCDeliveryLimit,
		Persistent:    c.config.RPCPersistent,
		KeepMessages:  c.traces != nil,

		IdentityLeeway: c.config.RPCIdentityLeeway,

		Logger: c.logger,
		Interceptors: []rpc.Interceptor{
			c.traces.Server(), c.metrics.server.interceptor(handledOutcome), rpc.Logging(c.logger, slog.LevelDebug),
		},
		Observer: c.metrics.observer,
	}
	if c.config.RPCIdentityKeys != "" {
		options.IdentityKey = identitykeys.NewDirectory(c.config.RPCIdentityKeys, c.logger).Key
	}
	return rpc.NewServer(c.broker, options)
}

// newClient runs only if the module depends on a client: an unused client would still hold a callback queue.
func (c *chassis) newClient(lifecycle fx.Lifecycle) *rpc.Client {
	instance, _ := c.config.instance() // Validate has returned its error
	client := rpc.NewClient(c.broker, rpc.ClientOptions{
		Name:               c.service.Name,
		CallbackQueueType:  c.config.RPCCallbackQueueType,
		Instance:           instance,
		VerifyReplies:      c.config.RPCVerifyReplies,
		Timeout:            c.config.RPCTimeout,
		MaxPending:         c.config.RPCMaxPending,
		MaxPendingPerQueue: c.config.RPCMaxPendingPerQueue,
		Persistent:         c.config.RPCPersistent,
		QueueType:          c.config.RPCQueueType,
		Logger:             c.logger,
		Interceptors: []rpc.Interceptor{
			c.traces.Client(), c.metrics.client.interceptor(callOutcome), rpc.Logging(c.logger, slog.LevelDebug),
		},
		Observer: c.metrics.observer,
	})
	c.metrics.observeClient(client)
	lifecycle.Append(fx.Hook{
		OnStart: func(ctx context.Context) error { return startClient(ctx, client) },
		OnStop:  client.Close,
	})
	return client
}

func startClient(ctx context.Context, client *rpc.Client) error {
	err := client.Start(ctx)
	if errors.Is(err, messaging.ErrQueueInUse) {
		return fmt.Errorf("%w: set RPC_INSTANCE", err)
	}
	return err
}
