package rabbitmq

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Options configures a [Broker]. Only URLs is required.
type Options struct {
	// URLs name the nodes of one cluster (amqp:// or amqps://). The broker connects to the first one that responds, and
	// tries that one first after a loss.
	URLs []string
	// Name is the first part of the connections' names in RabbitMQ's management.
	Name string
	// Heartbeat is how often a silent connection is probed (default 10 s). A peer that stops responding is noticed within
	// two heartbeats. See https://www.rabbitmq.com/docs/heartbeats.
	Heartbeat time.Duration
	// DialTimeout bounds connecting to one node, with its TLS and AMQP handshakes (default 5 s).
	DialTimeout time.Duration
	// WriteTimeout is how long a write to the socket may take before the connection counts as lost (default: Heartbeat).
	WriteTimeout time.Duration
	// ConfirmSends makes the broker confirm the messages of Send too. Send does not wait for the confirm, but a message that
	// the broker refuses is sent again, while the connection lasts and for 30 s. After that it counts as lost (see
	// [Broker.OnLoss]) unless its TTL is over. Set it with quorum queues, which refuse messages while they have no leader, and
	// for persistent messages, which RabbitMQ may write to disk a second later than it takes them if they need no confirm. It
	// costs about 10 % of the throughput. A message that a classic queue refused because its node was lost may have been taken,
	// and arrive twice.
	ConfirmSends bool
	// TLS configures amqps:// URLs. Other URLs are refused if it is set, because they would not use it. nil uses the
	// system's certificate authorities and no client certificate. The server's name is the host of each URL unless it is
	// set. GetClientCertificate is called for each connection, so it can return a renewed certificate.
	TLS *tls.Config
	// Logger receives what happens to the connections. Default: slog.Default().
	Logger *slog.Logger
	// OnReconnect is called when a lost connection is reconnected. It must not block.
	OnReconnect func()
	// OnSetAside is called when a message of a queue was dead-lettered or, if the queue has no dead-letter queue, dropped. The
	// reason is one of package deadletter. It must not block.
	OnSetAside func(queue, reason string)
}

// withDefaults returns the options with their defaults, or an error if they cannot work.
func (o Options) withDefaults() (Options, error) {
	if len(o.URLs) == 0 {
		return o, errors.New("rabbitmq: no broker URL")
	}
	for i, raw := range o.URLs {
		if err := o.checkURL(raw); err != nil {
			return o, fmt.Errorf("rabbitmq: broker URL %d of %d %w", i+1, len(o.URLs), err)
		}
	}
	o.Heartbeat = cmp.Or(o.Heartbeat, 10*time.Second)
	if o.Heartbeat < time.Second {
		return o, fmt.Errorf("rabbitmq: heartbeat %s is below one second, the unit of AMQP", o.Heartbeat)
	}
	o.DialTimeout = cmp.Or(o.DialTimeout, 5*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, o.Heartbeat)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.OnReconnect == nil {
		o.OnReconnect = func() {}
	}
	if o.OnSetAside == nil {
		o.OnSetAside = func(string, string) {}
	}
	return o, nil
}

// checkURL returns what is wrong with a URL. The error does not quote the URL, which holds a password.
func (o Options) checkURL(raw string) error {
	_, err := amqp.ParseURI(raw)
	u, parseErr := url.Parse(raw)
	switch {
	case err != nil || parseErr != nil:
		return errors.New("is not a valid amqp:// or amqps:// URL")
	case o.TLS != nil && u.Scheme != "amqps":
		return errors.New("is not amqps://: it would not use the option TLS")
	case u.Query().Has("heartbeat"):
		return errors.New("sets a heartbeat: use the option, on which time-outs depend")
	case u.Query().Has("auth_mechanism"):
		return errors.New("sets auth_mechanism: only user and password are supported, because messages carry the user's name")
	}
	for _, name := range []string{"cacertfile", "certfile", "keyfile", "server_name_indication"} {
		if u.Query().Has(name) {
			return fmt.Errorf("sets %s: use the option TLS", name)
		}
	}
	return nil
}
