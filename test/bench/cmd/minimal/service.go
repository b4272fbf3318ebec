package main

import "example.com/warren/test/bench/internal/example"

type serviceCommand struct{}

// Run is called by kong.
func (c *serviceCommand) Run(all *cli) error {
	connection, err := dial(all.BrokerURL)
	if err != nil {
		return err
	}
	body := example.JSON(all.Bytes)
	return connection.consume(requests, func(m message) error {
		connection.publish(m.replyTo, message{correlationID: m.correlationID}, "application/json", body)
		return nil
	})
}
