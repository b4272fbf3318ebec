// Package inmem is a messaging.Broker inside the process: for tests, and for running all services in one process. It
// keeps the semantics of the port, and RabbitMQ's where the port is silent, but nothing outlives the process.
//
// A panic of a handler is not caught: it ends the process, as it would with any goroutine.
package inmem

// New returns a connection to a broker of its own. Several connections to one broker come from Server.Connect.
func New() *Broker { return NewServer().Connect() }
