package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	amqp "github.com/rabbitmq/amqp091-go"
)

type gatewayCommand struct {
	Addr string `env:"ADDR" default:"127.0.0.1:8080" help:"Address to listen on."`
}

// gateway turns HTTP requests into calls.
type gateway struct {
	mu      sync.Mutex // serializes use of channel: concurrent frames would interleave
	channel *amqp.Channel
	pending sync.Map // correlation ID → chan []byte
}

// Run is called by kong.
func (c *gatewayCommand) Run(all *cli) error {
	channel, err := connect(all.BrokerURL, replies)
	if err != nil {
		return err
	}
	deliveries, err := channel.Consume(replies, "", true, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume %s: %w", replies, err)
	}
	g := &gateway{channel: channel}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/v1/orders/:id", g.get)
	go func() {
		g.receive(deliveries)
		_ = e.Close() // ends the process
	}()
	return errors.Join(e.Start(c.Addr), errClosed)
}

func (g *gateway) receive(deliveries <-chan amqp.Delivery) {
	for d := range deliveries {
		if waiting, ok := g.pending.LoadAndDelete(d.CorrelationId); ok {
			waiting.(chan []byte) <- d.Body //nolint:errcheck // call stores nothing else
		}
	}
}

func (g *gateway) get(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), 5*time.Second)
	defer cancel()
	body, err := g.call(ctx)
	if err != nil {
		return echo.NewHTTPError(http.StatusBadGateway, err.Error())
	}
	return c.JSONBlob(http.StatusOK, body)
}

func (g *gateway) call(ctx context.Context) ([]byte, error) {
	id := uuid.NewString()
	reply := make(chan []byte, 1)
	g.pending.Store(id, reply)
	defer g.pending.Delete(id)
	if err := g.publish(ctx, id); err != nil {
		return nil, err
	}
	select {
	case body := <-reply:
		return body, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *gateway) publish(ctx context.Context, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, err := g.channel.QueueDeclare(requests, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declare %s: %w", requests, err)
	}
	err := g.channel.PublishWithContext(ctx, "", requests, false, false, amqp.Publishing{CorrelationId: id, ReplyTo: replies})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}
