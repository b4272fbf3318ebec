package rabbitmq

import (
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// acknowledgeWithin is how long an acknowledgement may wait for others to share its frame.
const acknowledgeWithin = 10 * time.Millisecond

// acknowledger gathers the acknowledgements of one channel. Messages handled without a gap share one frame with the
// multiple flag; those behind a slow handler follow one by one.
//
// It belongs to one channel of one session, so it never acknowledges a delivery of another channel. Tags begin at 1 on
// each channel, and an acknowledgement on the wrong one would lose a message that no handler has seen.
//
// Errors of the channel are ignored: they mean that it has closed, and then the broker requeues the messages.
type acknowledger struct {
	channel   *amqp.Channel
	threshold int         // this many pending acknowledgements are sent at once
	timer     *time.Timer // sends them otherwise

	mu      sync.Mutex          // held while frames are sent, so that they keep their order
	last    uint64              // the highest tag that was handled
	gaps    map[uint64]struct{} // the tags below last that are not handled, fewer than the prefetch
	pending map[uint64]bool     // to be acknowledged; true: has waited for a gap to close since the last flush
}

func newAcknowledger(ch *amqp.Channel, prefetch int) *acknowledger {
	a := &acknowledger{
		channel:   ch,
		threshold: max(prefetch/4, 1),
		gaps:      map[uint64]struct{}{},
		pending:   map[uint64]bool{},
	}
	a.timer = time.AfterFunc(acknowledgeWithin, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.flush(false)
	})
	return a
}

// ack records that the message of tag is handled.
func (a *acknowledger) ack(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.see(tag)
	a.pending[tag] = false
	switch {
	case len(a.pending) >= a.threshold:
		a.flush(false)
	case len(a.pending) == 1:
		a.timer.Reset(acknowledgeWithin)
	}
}

// ackAtOnce is ack for a message that has a copy elsewhere: until the broker knows, there are two.
func (a *acknowledger) ackAtOnce(tag uint64) {
	_ = a.channel.Ack(tag, false)
	a.settle(tag)
}

// requeue returns the message of tag to its queue at once. Since RabbitMQ 4.3 a quorum queue counts basic.reject as a failed
// delivery and basic.nack not.
// See https://github.com/rabbitmq/rabbitmq-server/discussions/18226.
func (a *acknowledger) requeue(tag uint64) {
	_ = a.channel.Reject(tag, true)
	a.settle(tag)
}

// settle records that the broker knows of tag.
func (a *acknowledger) settle(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.see(tag)
}

// see closes the gap at tag, or opens those below it. Called with mu held.
func (a *acknowledger) see(tag uint64) {
	if tag <= a.last {
		delete(a.gaps, tag)
		return
	}
	for gap := a.last + 1; gap < tag; gap++ {
		a.gaps[gap] = struct{}{}
	}
	a.last = tag
}

// close sends what is pending.
func (a *acknowledger) close() {
	a.timer.Stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flush(true)
}

// flush acknowledges what take returns. Called with mu held.
func (a *acknowledger) flush(all bool) {
	multiple, single, more := a.take(all)
	if multiple > 0 {
		_ = a.channel.Ack(multiple, true)
	}
	for _, tag := range single {
		_ = a.channel.Ack(tag, false)
	}
	if more {
		a.timer.Reset(acknowledgeWithin)
	}
}

// take returns the tag up to which all can be acknowledged, 0 for none, and the tags beyond a gap that have waited long
// enough. more reports that others still wait. Called with mu held.
func (a *acknowledger) take(all bool) (multiple uint64, single []uint64, more bool) {
	firstGap := a.last + 1
	for gap := range a.gaps {
		firstGap = min(firstGap, gap)
	}
	for tag, waited := range a.pending {
		switch {
		case tag < firstGap:
			multiple = max(multiple, tag) // not a tag that is settled, which the broker would refuse
		case waited || all:
			single = append(single, tag)
		default:
			a.pending[tag] = true
			more = true
			continue
		}
		delete(a.pending, tag)
	}
	return multiple, single, more
}
