// Package broker connects commands to RabbitMQ.
package broker

import (
	"errors"
	"log/slog"
	"strings"

	"example.com/warren/pkg/messaging/rabbitmq"
	"example.com/warren/pkg/service"
)

// Options returns the options of a command's connection. Nothing is logged: the command reports what fails.
func Options(c *service.BrokerConfig, command string) (rabbitmq.Options, error) {
	options, err := c.Options()
	options.Name = "warren " + command
	options.Logger = slog.New(slog.DiscardHandler)
	return options, err
}

// OneLine returns an error whose text is one line, whatever the number of nodes that it is about.
func OneLine(err error) error { return errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")) }
