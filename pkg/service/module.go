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
)

// CallbackQueue is where the replies to a service's own calls arrive. A module that supplies one changes the default:
// one queue, for the only process of the service.
type CallbackQueue struct {
	Name     string // default: "<service>.rpc.response"
	Instance string // set: the queue is this process's own, "<Name>.<Instance>"
	Variable string // the environment variable behind Instance, for the error of a second process that has none
}

// module is what the service's own module is given, and after it the start of the server.
func (c *chassis) module() fx.Option {
	options := []fx.Option{
		fx.WithLogger(c.eventLogger),
		fx.Supply(c.config, c.logger, c.fail),
		fx.Provide(
			func() messaging.Broker { return c.broker },
			func() prometheus.Registerer { return c.registry },
			c.newServer,
			c.newClient,
		),
		fx.Decorate(
			func(l fx.Lifecycle) fx.Lifecycle { return lifecycle{l, c.startContext, c.stopContext} },
			func() fx.Shutdowner { return shutdowner{c.fail} },
		),
	}
	if c.service.Config != nil {
		options = append(options, fx.Supply(c.service.Config))
	}
	if c.service.Module != nil {
		options = append(options, c.service.Module)
	}
	// Invokes run in order, those of inner modules first: the server's hook is the last of all.
	return fx.Options(append(options, fx.Invoke(serve))...)
}

func (c *chassis) eventLogger() fxevent.Logger {
	logger := &fxevent.SlogLogger{Logger: c.logger}
	logger.UseLogLevel(slog.LevelDebug)
	logger.UseErrorLevel(slog.LevelDebug) // errors are returned by Run
	return logger
}

func serve(l fx.Lifecycle, server *rpc.Server) {
	l.Append(fx.Hook{OnStart: server.Start, OnStop: server.Drain})
}

func (c *chassis) newServer() *rpc.Server {
	return rpc.NewServer(c.broker, rpc.ServerOptions{
		Name:          c.service.Name,
		Concurrency:   c.config.RPCConcurrency,
		Prefetch:      c.config.RPCPrefetch,
		QueueType:     c.config.RPCQueueType,
		DeliveryLimit: c.config.RPCDeliveryLimit,
		Persistent:    c.config.RPCPersistent,
		Logger:        c.logger,
		Interceptors:  []rpc.Interceptor{c.metrics.server.interceptor(handledStatus), rpc.Logging(c.logger, slog.LevelDebug)},
		Observer: rpc.Observer{
			ExpiredRequest:  c.metrics.expired.Inc,
			UnroutableReply: c.metrics.unroutable.Inc,
		},
	})
}

type clientParams struct {
	fx.In

	Lifecycle fx.Lifecycle
	Callback  CallbackQueue `optional:"true"`
}

// newClient is called only if the module asks for a client: one that nobody uses would hold a callback queue.
func (c *chassis) newClient(p clientParams) *rpc.Client {
	client := rpc.NewClient(c.broker, rpc.ClientOptions{
		Name:               c.service.Name,
		CallbackQueue:      p.Callback.Name,
		CallbackQueueType:  c.config.RPCCallbackQueueType,
		Instance:           p.Callback.Instance,
		VerifyReplies:      c.config.RPCVerifyReplies,
		Timeout:            c.config.RPCTimeout,
		MaxPending:         c.config.RPCMaxPending,
		MaxPendingPerQueue: c.config.RPCMaxPendingPerQueue,
		Persistent:         c.config.RPCPersistent,
		QueueType:          c.config.RPCQueueType,
		Logger:             c.logger,
		Interceptors:       []rpc.Interceptor{c.metrics.client.interceptor(callStatus), rpc.Logging(c.logger, slog.LevelDebug)},
		Observer: rpc.Observer{
			OrphanReply:   c.metrics.orphans.Inc,
			ForgedReply:   c.metrics.forged.Inc,
			ResentRequest: c.metrics.resent.Inc,
		},
	})
	c.metrics.observeClient(client)
	p.Lifecycle.Append(fx.Hook{
		OnStart: func(ctx context.Context) error { return startClient(ctx, client, p.Callback.Variable) },
		OnStop:  client.Close,
	})
	return client
}

func startClient(ctx context.Context, client *rpc.Client, variable string) error {
	err := client.Start(ctx)
	if errors.Is(err, messaging.ErrQueueInUse) && variable != "" {
		return fmt.Errorf("%w: set %s", err, variable)
	}
	return err
}
