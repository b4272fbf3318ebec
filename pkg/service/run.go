package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/dig"
	"go.uber.org/fx"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/telemetry"
)

// stopGrace is how long Run waits for stop hooks that continue after their context has ended.
const stopGrace = time.Second

// maxStartPause bounds the pauses of a start that waits for a database. Jitter may add half of it.
const maxStartPause = 4 * time.Second

// chassis is one run of a service.
type chassis struct {
	service      Service
	config       *Config
	logger       *slog.Logger
	metrics      *metrics
	traces       *telemetry.Traces // nil: off
	ready        func(Info)
	fail         Fail
	startContext context.Context        // ends when the service is to stop
	stopContext  func() context.Context // ends STOP_TIMEOUT after the first call

	broker messaging.Broker // set by run or open, as are the fields below
	health *health
	admin  *admin
}

// run runs the service until ctx ends or something fails, and stops it.
func run(ctx context.Context, s Service, config *Config, logger *slog.Logger, o options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopContext, release := newStopContext(ctx, config.StopTimeout)
	defer release()
	c := &chassis{
		service:      s,
		config:       config,
		logger:       logger,
		metrics:      newMetrics(s.Name),
		ready:        o.ready,
		fail:         func(err error) { cancel(ending{err}) },
		startContext: ctx,
		stopContext:  stopContext,
		broker:       o.broker,
	}
	c.traces = telemetry.Start(ctx, telemetry.Service{
		Name: s.Name, Version: ReadBuild().Version, Logger: logger, Failed: c.metrics.countFailedSpans,
	})
	err := c.open()
	if err == nil {
		err = c.runModule()
	}
	err = errors.Join(err, c.close())
	c.traces.Stop(c.stopContext())
	logger.InfoContext(ctx, "service stopped")
	return err
}

// newStopContext returns the context of all stop hooks. Its time begins with the first call of get.
func newStopContext(ctx context.Context, limit time.Duration) (get func() context.Context, release func()) {
	base, release := context.WithCancel(context.WithoutCancel(ctx))
	get = sync.OnceValue(func() context.Context {
		limited, cancel := context.WithTimeout(base, limit)
		context.AfterFunc(base, cancel)
		return limited
	})
	return get, release
}

// open creates what the module depends on. From then on, probes are answered.
func (c *chassis) open() (err error) {
	if c.broker == nil {
		if c.broker, err = c.connect(); err != nil {
			return err
		}
	}
	c.broker = c.metrics.measureBroker(c.broker)
	c.health = newHealth(c.broker)
	if c.admin, err = c.startAdmin(); err != nil {
		return err
	}
	build := ReadBuild()
	c.logger.Info("service starting", "version", build.Version, "commit", build.Commit, "admin", c.admin.addr)
	return nil
}

// connect returns a broker that connects in the background.
func (c *chassis) connect() (messaging.Broker, error) {
	options, err := c.config.Broker.Options()
	if err != nil {
		return nil, err
	}
	options.Name = c.service.Name
	options.Heartbeat = c.config.BrokerHeartbeat
	options.ConfirmSends = c.config.confirmsSends()
	options.Logger = c.logger
	options.OnReconnect = c.metrics.reconnects.Inc
	options.OnSetAside = func(queue, reason string) { c.metrics.setAside.WithLabelValues(queue, reason).Inc() }
	broker, err := rabbitmq.New(options)
	if err != nil {
		return nil, fmt.Errorf("connect to BROKER_URL: %w", err)
	}
	return broker, nil
}

// runModule starts the module, waits until it is to stop, and stops it.
func (c *chassis) runModule() error {
	app := fx.New(c.module())
	if err := app.Err(); err != nil {
		return dig.RootCause(err) // without the chain of constructors
	}
	if err := app.Start(context.Background()); err != nil {
		return c.startError(err)
	}
	c.health.phase.Store(running)
	c.logger.Info("service started")
	c.ready(Info{AdminAddr: c.admin.addr})

	<-c.startContext.Done()
	failure := failureOf(c.startContext)
	c.health.phase.Store(stopping)
	c.logger.Info("service stopping")
	if failure == nil {
		<-time.After(c.config.StopDelay)
	}
	return errors.Join(failure, c.stop(app))
}

// temporary is an error of a start hook that another try may not have.
type temporary interface {
	error
	Temporary() bool
}

// startHook calls a start hook until it succeeds, its error is not temporary, or the service is to stop.
func (c *chassis) startHook(hook func(context.Context) error) error {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = maxStartPause
	_, err := backoff.Retry(c.startContext, func() (struct{}, error) {
		err := hook(c.startContext)
		if t, ok := errors.AsType[temporary](err); !ok || !t.Temporary() {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, wait time.Duration) {
		c.logger.Warn("start failed", "error", err, "retry_in", wait)
		c.health.phase.Store(starting + ": " + err.Error())
	}))
	c.health.phase.Store(starting)
	return err
}

// startError returns why a start failed. An error that only says that the start was cancelled is no failure.
func (c *chassis) startError(err error) error {
	cancelled := c.startContext.Err()
	if cancelled != nil && errors.Is(err, cancelled) {
		return failureOf(c.startContext)
	}
	return errors.Join(failureOf(c.startContext), err)
}

// stop runs the stop hooks. Their context ends before fx's, so that fx runs every hook, however late.
func (c *chassis) stop(app *fx.App) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.stopContext()), c.config.StopTimeout+stopGrace)
	defer cancel()
	if err := app.Stop(ctx); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// close releases what open has created.
func (c *chassis) close() error {
	ctx := c.stopContext()
	var errs []error
	if c.broker != nil {
		errs = append(errs, closeBroker(ctx, c.broker))
	}
	if c.admin != nil {
		errs = append(errs, c.admin.stop(ctx))
	}
	return errors.Join(errs...)
}

func closeBroker(ctx context.Context, b messaging.Broker) error {
	if err := b.Close(ctx); err != nil {
		return fmt.Errorf("close the broker: %w", err)
	}
	return nil
}
