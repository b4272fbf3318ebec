// Package rabbitmqtest runs private RabbitMQ nodes and clusters, and breaks connections to them. No production package
// imports it.
//
// # Nodes
//
// A [Node] has its own folder, cookie and loopback ports, so it is independent of any broker that already runs on the
// machine. It needs an installed RabbitMQ. On Linux it is killed when the process that started it ends.
//
// Closing a node kills it and removes its data; [Node.Stop] shuts it down.
//
// [StartNode] starts a node for one test and closes it with the test. [Tests] gives a package's tests one broker that
// they share. A program, such as the demo, starts a node with [Start] and closes it itself. [StartCluster] starts several
// nodes that form one broker.
//
// The first node on a machine starts epmd, Erlang's port mapper. All nodes share it, and it keeps running.
//
// # Networks and certificates
//
// A [Proxy] between a client and a node holds up bytes, as a network does that fails silently. An [Authority] issues
// certificates for nodes and clients; [MutualTLS] makes a node require them.
package rabbitmqtest
