package rabbitmq

import (
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// acknowledgeWithin is how long an acknowledgement may wait for others to share its frame.
const acknowledgeWithin = 2 * time.Millisecond

// settlement is where a delivery tag stands whose message is done with.
type settlement uint8

const (
	settled     settlement = iota // the broker knows
	handled                       // to be acknowledged
	handledLong                   // to be acknowledged, and waiting since the last flush for an earlier one
)

// acknowledger gathers the acknowledgements of one channel: what is handled without a gap goes out as one frame with
// `multiple`, what waits behind a slow handler follows one by one.
//
// It belongs to one channel of one session and can therefore never acknowledge a delivery of another, though tags begin
// at 1 again on each channel: that would lose a message that nobody has handled.
type acknowledger struct {
	channel   *amqp.Channel
	threshold int // as many handled messages don't wait

	mu      sync.Mutex
	upTo    uint64 // all tags up to here are settled
	done    map[uint64]settlement
	pending int // handled since the last flush

	wake    chan struct{} // something is pending
	full    chan struct{} // the threshold is reached
	stopped chan struct{}
	stop    chan struct{}
}

func newAcknowledger(ch *amqp.Channel, prefetch int) *acknowledger {
	a := &acknowledger{
		channel:   ch,
		threshold: max(prefetch/4, 1),
		done:      map[uint64]settlement{},
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
	a.done[tag] = handled
	a.pending++
	full := a.pending >= a.threshold
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
	a.done[tag] = settled
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
	a.pending = 0
	for {
		state, ok := a.done[a.upTo+1]
		if !ok {
			break
		}
		a.upTo++
		delete(a.done, a.upTo)
		if state != settled {
			// The broker refuses `multiple` up to a tag that it has settled already.
			multiple = a.upTo
		}
	}
	for tag, state := range a.done {
		switch {
		case state == handledLong, state == handled && all:
			single = append(single, tag)
			a.done[tag] = settled
		case state == handled:
			a.done[tag] = handledLong
			more = true
		}
	}
	return multiple, single, more
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
