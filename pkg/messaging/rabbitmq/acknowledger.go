package rabbitmq

import (
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// acknowledgeWithin is how long an acknowledgement may wait for others to share its frame.
const acknowledgeWithin = 10 * time.Millisecond

// acknowledger gathers the acknowledgements of one channel: what is handled without a gap goes out as one frame with
// `multiple`, what waits behind a slow handler follows one by one.
//
// It belongs to one channel of one session and can therefore never acknowledge a delivery of another, though tags begin
// at 1 again on each channel: that would lose a message that nobody has handled.
type acknowledger struct {
	channel   *amqp.Channel
	threshold int // as many handled messages don't wait

	mu   sync.Mutex
	last uint64              // the highest tag that was handled; the channel counts its deliveries up from 1
	gaps map[uint64]struct{} // the tags below it that are not handled yet, prefetch at most
	// pending are handled and not yet acknowledged: true if they have waited for a gap to close since the last flush.
	pending map[uint64]bool

	wake    chan struct{} // something is pending
	full    chan struct{} // the threshold is reached
	stopped chan struct{}
	stop    chan struct{}
}

func newAcknowledger(ch *amqp.Channel, prefetch int) *acknowledger {
	a := &acknowledger{
		channel:   ch,
		threshold: max(prefetch/4, 1),
		gaps:      map[uint64]struct{}{},
		pending:   map[uint64]bool{},
		wake:      make(chan struct{}, 1),
		full:      make(chan struct{}, 1),
		stop:      make(chan struct{}),
		stopped:   make(chan struct{}),
	}
	go a.run()
	return a
}

// ack takes note that the message of tag is handled.
func (a *acknowledger) ack(tag uint64) {
	a.mu.Lock()
	a.see(tag)
	a.pending[tag] = false
	full := len(a.pending) >= a.threshold
	a.mu.Unlock()
	signal(a.wake)
	if full {
		signal(a.full)
	}
}

// ackAtOnce is ack for a message that has a copy elsewhere: until the broker knows, there are two.
func (a *acknowledger) ackAtOnce(tag uint64) {
	_ = a.channel.Ack(tag, false)
	a.settle(tag)
}

// requeue gives the message of tag back to its queue, at once.
func (a *acknowledger) requeue(tag uint64) {
	_ = a.channel.Nack(tag, false, true)
	a.settle(tag)
}

// settle takes note that the broker knows of tag; if its channel has closed, the broker has requeued the message.
func (a *acknowledger) settle(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.see(tag)
}

// see closes the gap at tag, or opens those below it.
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

// close sends what is pending and ends.
func (a *acknowledger) close() {
	close(a.stop)
	<-a.stopped
}

func (a *acknowledger) run() {
	defer close(a.stopped)
	timer := time.NewTimer(acknowledgeWithin)
	defer timer.Stop()
	for {
		select {
		case <-a.wake:
		case <-a.stop:
			a.flush(true)
			return
		}
		timer.Reset(acknowledgeWithin)
		select {
		case <-a.full:
		case <-timer.C:
		case <-a.stop:
			a.flush(true)
			return
		}
		if a.flush(false) {
			signal(a.wake)
		}
	}
}

// flush acknowledges and reports whether something still waits. Errors mean that the channel has closed: then the
// broker has requeued the messages.
func (a *acknowledger) flush(all bool) (more bool) {
	multiple, single, more := a.take(all)
	if multiple > 0 {
		_ = a.channel.Ack(multiple, true)
	}
	for _, tag := range single {
		_ = a.channel.Ack(tag, false)
	}
	return more
}

// take returns the tag up to which all can be acknowledged, 0 for none, and the tags beyond a gap that have waited
// long enough.
func (a *acknowledger) take(all bool) (multiple uint64, single []uint64, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := a.firstGap()
	for tag, waited := range a.pending {
		switch {
		case tag < first:
			// The broker refuses `multiple` up to a tag that it has settled already: this one it has not.
			multiple = max(multiple, tag)
			delete(a.pending, tag)
		case waited || all:
			single = append(single, tag)
			delete(a.pending, tag)
		default:
			a.pending[tag] = true
			more = true
		}
	}
	return multiple, single, more
}

func (a *acknowledger) firstGap() uint64 {
	first := a.last + 1
	for gap := range a.gaps {
		first = min(first, gap)
	}
	return first
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
