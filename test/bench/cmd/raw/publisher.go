package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// timeout is the time limit of a call of pkg/rpc, which its messages carry.
const timeout = 5 * time.Second

// publisher sends messages with the minimum that a call needs, or with everything that messages of pkg/rpc carry.
type publisher struct {
	channel *amqp.Channel
	asRPC   bool
	user    string
}

func (c *cli) newPublisher(channel *amqp.Channel) (*publisher, error) {
	uri, err := amqp.ParseURI(c.BrokerURL)
	if err != nil {
		return nil, fmt.Errorf("parse the broker's URL: %w", err)
	}
	return &publisher{channel: channel, asRPC: c.AsRPC, user: uri.Username}, nil
}

// newID returns a correlation ID for the nth call.
func (p *publisher) newID(n uint64) string {
	if p.asRPC {
		return uuid.NewString()
	}
	return strconv.FormatUint(n, 10)
}

func (p *publisher) request(ctx context.Context, queue string, m amqp.Publishing) error {
	if p.asRPC {
		m.Type, m.MessageId = "rpc.request", m.CorrelationId
		m.Headers = amqp.Table{"rpc-deadline": time.Now().Add(timeout).UnixMilli()}
	}
	return p.publish(ctx, queue, m)
}

func (p *publisher) reply(ctx context.Context, queue string, m amqp.Publishing) error {
	if p.asRPC {
		m.Type = "rpc.reply"
	}
	return p.publish(ctx, queue, m)
}

func (p *publisher) publish(ctx context.Context, queue string, m amqp.Publishing) error {
	if p.asRPC {
		m.AppId, m.UserId = "bench", p.user
		m.Timestamp = time.Now()
		m.Expiration = strconv.FormatInt(timeout.Milliseconds(), 10)
	}
	return p.channel.PublishWithContext(ctx, "", queue, p.asRPC, false, m) // mandatory as in pkg/rpc
}
