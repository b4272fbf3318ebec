// Package inmem implements messaging.Broker within a process, for tests and for running all services in one process. It
// behaves as the contract in package messagingtest asks, and as RabbitMQ where the contract is silent. Nothing outlives the
// process.
//
// A [Server] holds the queues. A [Broker] is one connection to it, and a [Browser] looks into its queues.
//
// # Concurrency
//
// The server's mutex guards all state: of the server, its queues, connections and subscriptions. It is not held while a
// handler or an observer runs, so both may call the broker. There are two kinds of goroutines, which live only while there is
// work: the workers of a subscription, up to its concurrency, and one per connection that passes returned messages to the
// observers. The package does not recover from a handler's panic: it ends the process.
package inmem

// New returns a connection to a new server. Use [NewServer] and [Server.Connect] for several connections.
func New() *Broker { return NewServer().Connect() }
