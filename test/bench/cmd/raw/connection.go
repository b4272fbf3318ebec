package main

import (
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// prefetch is how many deliveries may be unacknowledged.
const prefetch = 1000

// queues are the names of the queues of requests and replies.
type queues struct{ requests, replies string }

// queues returns names that depend on the kind of messages, so that both rows can run at once.
func (c *cli) queues() queues {
	if c.AsRPC {
		return queues{"raw.as-rpc.requests", "raw.as-rpc.replies"}
	}
	return queues{"raw.requests", "raw.replies"}
}

// dial connects through a socket that gathers writes.
func dial(url string) (*amqp.Connection, error) {
	connection, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat: 10 * time.Second,
		Dial: func(network, addr string) (net.Conn, error) {
			conn, err := amqp.DefaultDial(5*time.Second)(network, addr)
			if err != nil {
				return nil, err
			}
			return newSocket(conn), nil
		},
	})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return connection, nil
}

// open opens a channel and declares queue on it.
func open(connection *amqp.Connection, queue string) (*amqp.Channel, error) {
	channel, err := connection.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	if _, err := channel.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		return nil, fmt.Errorf("declare %s: %w", queue, err)
	}
	return channel, nil
}

func consume(channel *amqp.Channel, queue string) (<-chan amqp.Delivery, error) {
	if err := channel.Qos(prefetch, 0, false); err != nil {
		return nil, fmt.Errorf("set the prefetch: %w", err)
	}
	deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consume %s: %w", queue, err)
	}
	return deliveries, nil
}
