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
	// URLs of the nodes of one cluster (amqp:// or amqps://). The first that answers is used, and after a loss tried first.
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
	// ConfirmSends has the broker confirm what Send sends as well. Send doesn't wait for it, but what the broker refuses is
	// sent again, while the connection lasts and for 30 s from the first time; after that it counts as lost (see OnLoss), but
	// not if its TTL is over. Needed with quorum queues, which refuse messages while they have no leader; about 10 % of the
	// throughput. A message that a classic queue refused because its node was lost may have been taken, and arrive twice.
	ConfirmSends bool
	// TLS is for amqps:// URLs, and refused with others: they would go without. nil: the system's authorities, no client
	// certificate. The server's name is the host of each URL unless it is set. GetClientCertificate is asked at each
	// connect, so it can give one that was renewed.
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
		if err := o.checkURL(raw); err != nil {
			return o, fmt.Errorf("rabbitmq: broker URL %d of %d %w", i+1, len(o.URLs), err)
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

// checkURL returns what is wrong with a URL, without a word of it: it holds a password.
func (o Options) checkURL(raw string) error {
	_, err := amqp.ParseURI(raw)
	u, parseErr := url.Parse(raw)
	if err != nil || parseErr != nil {
		return errors.New("is not a valid amqp:// or amqps:// URL")
	}
	if o.TLS != nil && u.Scheme != "amqps" {
		return errors.New("is not amqps://: it would go without the TLS that is asked for")
	}
	if u.Query().Has("heartbeat") {
		return errors.New("sets a heartbeat: use the option, on which time-outs rest")
	}
	if u.Query().Has("auth_mechanism") {
		return errors.New("sets auth_mechanism: only user and password are supported, for the broker vouches for the user by name")
	}
	for _, name := range []string{"cacertfile", "certfile", "keyfile", "server_name_indication"} {
		if u.Query().Has(name) {
			return fmt.Errorf("sets %s: use the option TLS", name)
		}
	}
	return nil
}
