package rabbitmqtest

import "io"

// Options of a node. The zero value is a plain broker.
type Options struct {
	// Dir is where the node makes its folder. Default: the system's folder for temporary files.
	Dir string
	// Name is the node's name, before the @. Default: one that nothing else on this machine has.
	Name string
	// Port is where it listens for AMQP, on 127.0.0.1. Default: a free one.
	Port int
	// TLS makes the node listen for AMQP over TLS too, on a port of its own. Default: plain AMQP alone.
	TLS *TLS
	// Config is the text of rabbitmq.conf (https://www.rabbitmq.com/docs/configure).
	Config string
	// Definitions is a JSON file of users, permissions, queues and so on that the node imports when it starts
	// (https://www.rabbitmq.com/docs/definitions). RabbitMQ makes no guest user then: URL works only if the file has one.
	Definitions string
	// Plugins are enabled by name, e.g. rabbitmq_management. Their ports are set in Config.
	Plugins []string
	// Output gets what the node prints: its banner and its log. Default: nothing.
	Output io.Writer

	cookie string   // the secret that a cluster shares; "": the node has one of its own
	peers  []string // the names of nodes whose cluster this one joins at its first start
}

// TLS names PEM files of the node (https://www.rabbitmq.com/docs/ssl).
type TLS struct {
	Certificate, Key string
	// ClientCA has the authorities of clients' certificates: only clients with one of theirs get in. Empty: clients need
	// no certificate.
	ClientCA string
}
