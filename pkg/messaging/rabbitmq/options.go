package rabbitmq

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Options configures a Broker. Only URLs is required.
type Options struct {
	// URLs of the nodes of one cluster (amqp:// or amqps://). The first that answers is used.
	URLs []string
	// Name is shown as the connections' name in RabbitMQ's management.
	Name string
	// Heartbeat is how often a silent connection is probed (default 10 s). A peer that has gone without a word is
	// noticed within two.
	// See https://www.rabbitmq.com/docs/heartbeats.
	Heartbeat time.Duration
	// DialTimeout bounds connecting to one node, with its TLS and AMQP handshakes (default 5 s).
	DialTimeout time.Duration
	// WriteTimeout is how long a write to the socket may take before the connection counts as lost (default: Heartbeat).
	WriteTimeout time.Duration
	// TLS is used with amqps:// URLs.
	TLS *tls.Config
	// Logger gets what happens to the connections. Default: slog.Default().
	Logger *slog.Logger
	// OnReconnect is called each time that a lost connection stands again. It must not block.
	OnReconnect func()
}

func (o Options) withDefaults() (Options, error) {
	if len(o.URLs) == 0 {
		return o, errors.New("rabbitmq: no broker URL")
	}
	for i, raw := range o.URLs {
		// The parser's error may quote the URL, and with it the password.
		if _, err := amqp.ParseURI(raw); err != nil {
			return o, fmt.Errorf("rabbitmq: broker URL %d of %d is not a valid amqp:// or amqps:// URL", i+1, len(o.URLs))
		}
		if u, err := url.Parse(raw); err == nil && u.Query().Has("heartbeat") {
			return o, fmt.Errorf("rabbitmq: broker URL %d of %d sets a heartbeat: use the option, on which time-outs rest", i+1, len(o.URLs))
		}
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 10 * time.Second
	}
	if o.Heartbeat < time.Second {
		return o, fmt.Errorf("rabbitmq: heartbeat %s is below the second that AMQP counts in", o.Heartbeat)
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = 5 * time.Second
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = o.Heartbeat
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.OnReconnect == nil {
		o.OnReconnect = func() {}
	}
	return o, nil
}
