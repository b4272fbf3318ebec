package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// Inspector answers the questions of tools about a broker. It has one connection, which it does not redial, and leaves nothing
// behind on the broker.
type Inspector struct{ session *session }

// NewInspector connects to the first node that responds within Options.DialTimeout. The error wraps messaging.ErrUnavailable if
// none does, and ErrAccessRefused if one refuses the user.
func NewInspector(ctx context.Context, options Options) (*Inspector, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	open := func(s *session) error {
		s.declarer = &declarer{session: s, log: options.Logger}
		return nil
	}
	s, err := newConnection("inspect", options, open, nil).connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", messaging.ErrUnavailable, asRefused(err))
	}
	return &Inspector{s}, nil
}

// Close disconnects.
func (i *Inspector) Close() { i.session.close(true) }

// User returns the user that the broker has authenticated.
func (i *Inspector) User() string { return i.session.user }

// Version returns the version of the broker, such as 4.3.6.
func (i *Inspector) Version() string {
	version, _ := i.session.amqp.Properties["version"].(string)
	return version
}

// ErrAccessRefused means that the broker's user has no permission.
var ErrAccessRefused = errors.New("access refused")

func asRefused(err error) error {
	if isCode(err, amqp.AccessRefused) {
		return fmt.Errorf("%w: %w", ErrAccessRefused, err)
	}
	return err
}

// Difference returns how an existing queue differs from q, in the broker's words. It is "" if they agree or there is no such
// queue. The error wraps ErrAccessRefused if this user may not look.
func (i *Inspector) Difference(ctx context.Context, q messaging.Queue) (string, error) {
	if _, err := i.session.declarer.look(ctx, q.Name); errors.Is(err, messaging.ErrUnroutable) {
		return "", nil
	} else if err != nil {
		return "", asRefused(err)
	}
	err := i.session.declarer.onChannel(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(q.Name, q.Durable, q.AutoDelete, false, false, arguments(q))
		return err
	})
	var e *amqp.Error
	if errors.As(err, &e) && e.Code == amqp.PreconditionFailed {
		return strings.TrimPrefix(e.Reason, "PRECONDITION_FAILED - "), nil
	}
	return "", asRefused(err)
}

// RoundTrip returns an error unless this user may declare queues that are named like queue, publish to the default exchange, and
// receive, and may declare the others. The queues are exclusive and end with the connection. now is the time of the broker, cut to
// the second: it notes when the message of RoundTrip has expired.
func (i *Inspector) RoundTrip(ctx context.Context, queue string, others ...string) (now time.Time, err error) {
	received := make(chan time.Time, 1)
	err = i.session.call(ctx, func() error {
		expired, err := roundTrip(ctx, i.session.amqp, queue, others)
		received <- expired
		return err
	})
	if err != nil {
		return time.Time{}, cmp.Or(i.session.unavailable(), asRefused(err)) // received may still be written
	}
	return <-received, nil
}

func roundTrip(ctx context.Context, conn *amqp.Connection, queue string, others []string) (expired time.Time, err error) {
	ch, err := conn.Channel()
	if err != nil {
		return expired, fmt.Errorf("%w: open channel: %w", messaging.ErrUnavailable, err)
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	last := queue + "-expired"
	for _, name := range append([]string{queue, last}, others...) {
		arguments := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeClassic}
		if name == queue {
			arguments[amqp.QueueMessageTTLArg] = int32(0)
			arguments["x-dead-letter-exchange"], arguments["x-dead-letter-routing-key"] = "", last
		}
		if _, err := ch.QueueDeclare(name, false, true, true, false, arguments); err != nil {
			return expired, err
		}
	}
	deliveries, err := ch.ConsumeWithContext(ctx, last, "", true, true, false, false, nil)
	if err != nil {
		return expired, err
	}
	if err := ch.PublishWithContext(ctx, "", queue, true, false, amqp.Publishing{}); err != nil {
		return expired, err
	}
	delivery, ok := <-deliveries
	if !ok {
		if refused := <-closed; refused != nil {
			return expired, refused
		}
		return expired, cmp.Or(ctx.Err(), errLost)
	}
	deaths, _ := delivery.Headers["x-death"].([]any)
	for _, death := range deaths {
		table, _ := death.(amqp.Table)
		expired, _ = table["time"].(time.Time)
	}
	return expired, ch.Close() // a broker with an alarm takes the first message, and reads nothing after it
}
