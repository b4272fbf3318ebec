package rabbitmq

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// probeAfter is how long a connection that publishes must be idle before the next message waits for a probe.
	probeAfter = 200 * time.Millisecond
	// probePatience bounds that wait. A connection on which nothing responds is not for the probe to judge.
	probePatience = time.Second
)

// prober finds out whether the broker takes messages. RabbitMQ tells a connection of a memory or disk alarm only when that
// publishes, and from then on reads nothing from it: the first message into an alarm would wait for as long as the alarm lasts.
// So that message is one to no queue, which the broker drops and confirms. It has its own channel, which the broker closes if
// the user may not publish; then there are no probes.
// See https://www.rabbitmq.com/docs/connection-blocked.
type prober struct {
	session *session
	due     atomic.Int64  // when the next probe is due, in Unix nanoseconds
	alarm   chan struct{} // filled when the broker blocks the connection

	mu      sync.Mutex      // guards running
	running context.Context // ends with the probe, or after probePatience; nil when there is none

	channel *amqp.Channel // of the running probe alone
}

func newProber(s *session) *prober { return &prober{session: s, alarm: make(chan struct{}, 1)} }

// postpone says that the connection is in use.
func (p *prober) postpone() { p.due.Store(time.Now().Add(probeAfter).UnixNano()) }

// probe returns an error if the broker takes no messages, as far as that can be known.
func (p *prober) probe(ctx context.Context) error {
	err := p.session.unavailable()
	if err != nil || time.Now().UnixNano() < p.due.Load() {
		return err
	}
	select {
	case <-p.start().Done():
		return p.session.unavailable()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start returns the context of the running probe. It starts one if there is none.
func (p *prober) start() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		ctx, cancel := context.WithTimeout(p.session.ctx, probePatience)
		p.running = ctx
		if !p.session.spawn(func() { p.run(cancel) }) {
			cancel()
		}
	}
	return p.running
}

// run sends a probe and waits for its confirm or for an alarm.
func (p *prober) run(end func()) {
	select {
	case <-p.alarm: // an earlier one
	default:
	}
	if confirmation, err := p.send(); err == nil {
		select {
		case <-confirmation.Done():
		case <-p.alarm:
		case <-p.session.ctx.Done():
		}
	}
	p.postpone()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = nil
	end()
}

func (p *prober) send() (*amqp.DeferredConfirmation, error) {
	if p.channel == nil {
		ch, err := p.session.amqp.Channel()
		if err != nil {
			return nil, err
		}
		p.channel = ch
		if err := ch.Confirm(false); err != nil {
			return nil, err
		}
	}
	// The broker confirms the message at which it blocks the connection, and does not read the one after it.
	if _, err := p.channel.PublishWithDeferredConfirm("", "", false, false, amqp.Publishing{}); err != nil {
		return nil, err
	}
	return p.channel.PublishWithDeferredConfirm("", "", false, false, amqp.Publishing{})
}
