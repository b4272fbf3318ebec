package rpc

import (
	"errors"
	"fmt"
	"sync"

	"example.com/warren/pkg/messaging"
)

// ErrTooManyPending: the calls that wait for a reply have reached a limit.
var ErrTooManyPending = errors.New("too many pending calls")

// errReturned wakes a call whose request came back for want of a queue.
var errReturned = errors.New("request returned")

// outcome is what became of a call: a reply, or why there is none.
type outcome struct {
	reply *messaging.Message
	err   error
}

// pendingCall is one call that waits. At most two outcomes are sent: errReturned once, and then the last, by whoever
// took the call out of the registry. So no send ever blocks.
type pendingCall struct {
	queue    string
	returned bool
	outcomes chan outcome
}

// registry holds the calls that wait, by correlation id.
type registry struct {
	max, maxPerQueue int

	mu       sync.Mutex
	calls    map[string]*pendingCall
	perQueue map[string]int
	err      error         // why no call is taken, if so
	idle     chan struct{} // closed once no call is taken and none waits
}

func newRegistry(limit, limitPerQueue int) *registry {
	return &registry{
		max:         limit,
		maxPerQueue: limitPerQueue,
		calls:       map[string]*pendingCall{},
		perQueue:    map[string]int{},
		err:         errNotStarted,
		idle:        make(chan struct{}),
	}
}

// open makes the registry take calls, unless it was closed.
func (r *registry) open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(r.err, errNotStarted) {
		r.err = nil
	}
}

// close makes the registry take no more calls. idle tells when the last has gone.
func (r *registry) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(r.err, ErrClosed) {
		return
	}
	r.err = ErrClosed
	if len(r.calls) == 0 {
		close(r.idle)
	}
}

// add registers a call to queue, or says why not.
func (r *registry) add(queue, id string) (*pendingCall, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err != nil:
		return nil, r.err
	case len(r.calls) >= r.max:
		return nil, fmt.Errorf("%w: %d in all, the limit", ErrTooManyPending, r.max)
	case r.perQueue[queue] >= r.maxPerQueue:
		return nil, fmt.Errorf("%w: %d on this queue, the limit", ErrTooManyPending, r.maxPerQueue)
	case r.calls[id] != nil:
		return nil, fmt.Errorf("correlation id %q is pending already", id)
	}
	c := &pendingCall{queue: queue, outcomes: make(chan outcome, 2)}
	r.calls[id] = c
	r.perQueue[queue]++
	return c, nil
}

// remove forgets a call, if it is still registered.
func (r *registry) remove(id string, c *pendingCall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[id] == c {
		r.delete(id, c)
	}
}

// finish takes the call with the id out and gives it its last outcome. false: there is none.
func (r *registry) finish(id string, o outcome) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[id]
	if c == nil {
		return false
	}
	r.delete(id, c)
	c.outcomes <- o
	return true
}

// finishAll gives every call the same last outcome.
func (r *registry) finishAll(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.calls {
		r.delete(id, c)
		c.outcomes <- o
	}
}

// returned tells a call that its request came back: the first time it may try again, the second time it is over.
func (r *registry) returned(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[id]
	switch {
	case c == nil:
	case !c.returned:
		c.returned = true
		c.outcomes <- outcome{err: errReturned}
	default:
		r.delete(id, c)
		c.outcomes <- outcome{err: messaging.ErrUnroutable}
	}
}

// len is how many calls wait.
func (r *registry) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}

func (r *registry) delete(id string, c *pendingCall) {
	delete(r.calls, id)
	r.perQueue[c.queue]--
	if r.perQueue[c.queue] == 0 {
		delete(r.perQueue, c.queue)
	}
	if errors.Is(r.err, ErrClosed) && len(r.calls) == 0 {
		close(r.idle)
	}
}
