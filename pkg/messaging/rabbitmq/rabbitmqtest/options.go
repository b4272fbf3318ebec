package rabbitmqtest

import "io"

// Options configures a [Node]. The zero value is a plain broker.
type Options struct {
	// Dir is the folder in which the node creates its own. Default: the system's folder for temporary files.
	Dir string
	// Name is the part of the node's name before the @. Default: a unique one.
	Name string
	// Port is the AMQP port on 127.0.0.1. Default: a free one.
	Port int
	// TLS makes the node also listen for AMQP over TLS, on another port. Default: only plain AMQP.
	TLS *TLS
	// Config is the text of rabbitmq.conf. See https://www.rabbitmq.com/docs/configure.
	Config string
	// Definitions names a JSON file with users, permissions and queues that the node imports when it starts. RabbitMQ then
	// creates no guest user, so [Node.URL] works only if the file has one. See https://www.rabbitmq.com/docs/definitions.
	Definitions string
	// Plugins are the names of plugins to enable, such as rabbitmq_management. Set their ports in Config.
	Plugins []string
	// Output receives what the node prints: its banner and its log. Default: discarded.
	Output io.Writer

	cookie string   // the secret that a cluster shares; "" means a new one
	peers  []string // the names of the nodes whose cluster this one joins at its first start
}

// TLS names the PEM files of a node. See https://www.rabbitmq.com/docs/ssl.
type TLS struct {
	Certificate, Key string
	// ClientCA contains the authorities that issue client certificates. Clients need a certificate unless it is empty.
	ClientCA string
}
