package rabbitmq

import (
	"context"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

const (
	// maxProperties bounds the size of a content header frame without the headers: each short string has up to 256 bytes.
	maxProperties = 11 << 8
	// firstProbe is the first size that a session asks for. Most bodies are smaller.
	firstProbe = 64 << 10
)

// maxHeaders is how many bytes of headers fit the frames that the session has negotiated.
func (s *session) maxHeaders() int { return s.amqp.Config.FrameSize - maxProperties }

// bodyLimit is what a session knows about the broker's max_message_size, which AMQP does not announce. The broker closes the
// channel of a larger message and drops what follows on it. So before a session sends a body that is larger than all before,
// it publishes zeros of about the same size to no queue, on a channel that carries nothing else. What the broker says when it
// closes that channel names the limit.
// See https://www.rabbitmq.com/docs/configure#config-items.
type bodyLimit struct {
	probing chan struct{} // has capacity for one probe
	allowed atomic.Int64  // the broker takes bodies of this size
	limit   atomic.Int64  // the broker takes no larger bodies
}

// allowBody returns an error that wraps ErrBodyTooLarge if the broker does not take bodies of n bytes.
func (s *session) allowBody(ctx context.Context, n int) error {
	for int64(n) > s.bodies.allowed.Load() {
		if limit := s.bodies.limit.Load(); int64(n) > limit {
			return fmt.Errorf("%w: it has %d bytes, the broker takes %d", messaging.ErrBodyTooLarge, n, limit)
		}
		select {
		case s.bodies.probing <- struct{}{}:
			err := s.call(ctx, func() error {
				defer func() { <-s.bodies.probing }()
				return s.probe(n)
			})
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ctx.Done():
			return errLost
		}
	}
	return nil
}

// refusedSize finds the limit in the broker's reason to close a channel.
var refusedSize = regexp.MustCompile(`larger than (?:configured )?max size (\d+)`)

// probe finds out whether the broker takes bodies of n bytes.
func (s *session) probe(n int) error {
	if int64(n) <= s.bodies.allowed.Load() {
		return nil // another caller has asked
	}
	size := min(max(firstProbe, 1<<bits.Len(uint(n-1))), int(s.bodies.limit.Load()))
	ch, err := s.amqp.Channel()
	if err != nil {
		return fmt.Errorf("%w: open channel: %w", messaging.ErrUnavailable, err)
	}
	defer func() { _ = ch.Close() }()
	closes := ch.NotifyClose(make(chan *amqp.Error, 1))
	if err := ch.Confirm(false); err != nil {
		return fmt.Errorf("%w: enable confirms: %w", messaging.ErrUnavailable, err)
	}
	confirmation, err := ch.PublishWithDeferredConfirm("", "", false, false, amqp.Publishing{Body: make([]byte, size)})
	if err != nil {
		return fmt.Errorf("%w: %w", messaging.ErrUnavailable, err)
	}
	<-confirmation.Done() // also when the channel or the session ends
	if confirmation.Acked() {
		s.bodies.allowed.Store(int64(size))
		return nil
	}
	_ = ch.Close()
	refusal := <-closes
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
			s.bodies.allowed.Store(limit)
		}
	}
	s.bodies.limit.Store(limit)
	return nil
}
