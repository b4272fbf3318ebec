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
	next    uint64              // the lowest tag that is not handled or not acknowledged
	handled map[uint64]progress // the handled tags from next on, at most as many as the prefetch
	pending int                 // how many of them are not settled
}

// progress is how far a handled message has come.
type progress int

const (
	fresh   progress = iota // to be acknowledged
	waited                  // likewise, and has waited for a gap to close since the last flush
	settled                 // the broker knows
)

func newAcknowledger(ch *amqp.Channel, prefetch int) *acknowledger {
	a := &acknowledger{channel: ch, threshold: max(prefetch/4, 1), next: 1, handled: map[uint64]progress{}}
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
	a.handled[tag] = fresh
	a.pending++
	switch {
	case a.pending >= a.threshold:
		a.flush(false)
	case a.pending == 1:
		a.timer.Reset(acknowledgeWithin)
	}
}

// ackAtOnce is ack for a message that has a copy elsewhere: until the broker knows, there are two.
func (a *acknowledger) ackAtOnce(tag uint64) {
	_ = a.channel.Ack(tag, false)
	a.settle(tag)
}

// requeue returns the message of tag to its queue at once.
func (a *acknowledger) requeue(tag uint64) {
	_ = a.channel.Nack(tag, false, true)
	a.settle(tag)
}

// settle records that the broker knows of tag.
func (a *acknowledger) settle(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handled[tag] = settled
	for a.handled[a.next] == settled {
		delete(a.handled, a.next)
		a.next++
	}
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
	for p, ok := a.handled[a.next]; ok; p, ok = a.handled[a.next] {
		if p != settled {
			multiple = a.next // the broker would refuse a tag that is settled
			a.pending--
		}
		delete(a.handled, a.next)
		a.next++
	}
	for tag, p := range a.handled {
		switch {
		case p == settled:
		case p == waited || all:
			single = append(single, tag)
			a.handled[tag] = settled
			a.pending--
		default:
			a.handled[tag] = waited
			more = true
		}
	}
	return multiple, single, more
}

// signal fills c unless it is full.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
