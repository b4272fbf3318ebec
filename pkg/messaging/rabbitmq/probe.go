package rabbitmq

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

const (
	// probeAfter is how long a connection that publishes must be idle before the next message waits for a probe.
	probeAfter = 200 * time.Millisecond
	// probePatience bounds that wait. A connection on which nothing responds is not for the probe to judge.
	probePatience = time.Second
	// firstProbe is the smallest size of a probe that asks for one. Most bodies are smaller.
	firstProbe = 64 << 10
)

// prober finds out what the broker takes, before a message depends on it. A probe is a message of zeros to no queue, which the
// broker drops and confirms, on a channel that carries nothing else.
//
// RabbitMQ tells a connection of a memory or disk alarm only when that publishes, and from then on reads nothing from it: the
// first message into an alarm would wait for as long as the alarm lasts. So a probe precedes it when the connection was idle.
// See https://www.rabbitmq.com/docs/connection-blocked.
//
// AMQP does not announce the broker's max_message_size. The broker closes the channel of a larger message and drops what
// follows on it. So a probe of about the same size precedes a body that is larger than all before. What the broker says when
// it closes the channel names the limit.
// See https://www.rabbitmq.com/docs/configure#config-items.
type prober struct {
	session *session
	due     atomic.Int64  // when an idle connection needs the next probe, in Unix nanoseconds
	allowed atomic.Int64  // the broker takes bodies of this size
	limit   atomic.Int64  // the broker takes no larger bodies
	alarm   chan struct{} // filled when the broker blocks the connection

	mu      sync.Mutex // guards running
	running *probe     // nil when there is none

	// Of the running probe alone:
	channel *amqp.Channel
	closes  chan *amqp.Error // of channel
}

// probe is one message to no queue.
type probe struct {
	began time.Time
	done  chan struct{}
	err   error // valid once done is closed
}

func newProber(s *session) *prober {
	p := &prober{session: s, alarm: make(chan struct{}, 1)}
	p.limit.Store(messaging.MaxBodyBytes)
	return p
}

// postpone says that the connection is in use.
func (p *prober) postpone() { p.due.Store(time.Now().Add(probeAfter).UnixNano()) }

// admit returns an error if the broker takes no bodies of n bytes, as far as that can be known. The error wraps ErrUnavailable
// or ErrBodyTooLarge.
func (p *prober) admit(ctx context.Context, n int) error {
	if time.Now().UnixNano() >= p.due.Load() && p.session.unavailable() == nil {
		running := p.start(0)
		limited, cancel := context.WithDeadline(ctx, running.began.Add(probePatience))
		_ = running.wait(limited) // if the broker does not respond, or this user may not publish, the message will tell
		cancel()
	}
	for {
		if err := cmp.Or(ctx.Err(), p.session.unavailable()); err != nil {
			return err
		}
		if int64(n) <= p.allowed.Load() {
			return nil
		}
		if limit := p.limit.Load(); int64(n) > limit {
			return fmt.Errorf("%w: it has %d bytes, the broker takes %d", messaging.ErrBodyTooLarge, n, limit)
		}
		if err := p.start(n).wait(ctx); err != nil {
			return err
		}
	}
}

// start returns the running probe, or a new one for bodies of n bytes if there is none.
func (p *prober) start(n int) *probe {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return p.running
	}
	started := &probe{began: time.Now(), done: make(chan struct{})}
	if p.session.spawn(func() { p.run(started, n) }) {
		p.running = started
	} else {
		started.err = errLost
		close(started.done)
	}
	return started
}

func (r *probe) wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *prober) run(running *probe, n int) {
	running.err = p.probe(n)
	p.postpone()
	p.mu.Lock()
	p.running = nil
	p.mu.Unlock()
	close(running.done)
}

// probe sends a probe for bodies of n bytes, and waits for its confirm or for an alarm.
func (p *prober) probe(n int) error {
	select {
	case <-p.alarm: // an earlier one
	default:
	}
	if err := p.session.unavailable(); err != nil {
		return err
	}
	size := 0
	if n > 0 {
		size = min(max(firstProbe, 1<<bits.Len(uint(n-1))), int(p.limit.Load()))
	}
	confirmation, err := p.send(size)
	if err != nil {
		return fmt.Errorf("%w: probe: %w", messaging.ErrUnavailable, err)
	}
	select {
	case <-confirmation.Done(): // also when the channel or the session ends
	case <-p.alarm:
		return p.session.unavailable()
	}
	if !confirmation.Acked() {
		return p.refused(n)
	}
	p.allowed.Store(max(p.allowed.Load(), int64(size)))
	return nil
}

// send returns the confirmation of a probe, which also ends with its channel.
func (p *prober) send(size int) (*amqp.DeferredConfirmation, error) {
	if p.channel == nil || p.channel.IsClosed() {
		ch, err := p.session.amqp.Channel()
		if err != nil {
			return nil, err
		}
		p.channel, p.closes = ch, ch.NotifyClose(make(chan *amqp.Error, 1))
		if err := ch.Confirm(false); err != nil {
			return nil, err
		}
	}
	// The broker confirms the message at which it blocks the connection, and does not read the one after it.
	first, err := p.channel.PublishWithDeferredConfirm("", "", false, false, amqp.Publishing{Body: make([]byte, size)})
	if err != nil {
		return nil, err
	}
	if second, err := p.channel.PublishWithDeferredConfirm("", "", false, false, amqp.Publishing{}); err == nil {
		return second, nil
	}
	return first, nil // the broker has closed the channel already
}

// refusedSize finds the limit in the broker's reason to close a channel.
var refusedSize = regexp.MustCompile(`larger than (?:configured )?max size (\d+)`)

// refused learns from the broker's refusal of a probe for bodies of n bytes. It returns an error if that tells nothing of sizes.
func (p *prober) refused(n int) error {
	_ = p.channel.Close()
	refusal := <-p.closes
	switch {
	case refusal == nil:
		return errLost
	case refusal.Code != amqp.PreconditionFailed:
		return fmt.Errorf("%w: %w", messaging.ErrUnavailable, refusal)
	}
	limit := int64(n) - 1 // unless the broker names it
	if found := refusedSize.FindStringSubmatch(refusal.Reason); found != nil {
		if named, err := strconv.ParseInt(found[1], 10, 64); err == nil {
			limit = named
			p.allowed.Store(limit)
		}
	}
	p.limit.Store(limit)
	return nil
}
