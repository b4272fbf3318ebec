package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"example.com/warren/pkg/messaging"
)

// ErrTooManyPending: the calls that wait for a reply have reached a limit.
var ErrTooManyPending = errors.New("too many pending calls")

var (
	// errReturned wakes a call whose request came back for want of a queue.
	errReturned = errors.New("request returned")
	// errLost wakes a call whose request may be lost.
	errLost = errors.New("request may be lost")

	// errOrphan: nobody waits for a reply.
	errOrphan = errors.New("no such call")
	// errForged: a reply comes from another user than the called service.
	errForged = errors.New("not from the service that was called")
)

// outcome is what became of a call: a reply, or why there is none.
type outcome struct {
	reply *messaging.Message
	err   error
}

// maxResends bounds how often one request is sent again: losses that follow each other must not multiply the calls that
// wait.
const maxResends = 5

// pendingCall is one call that waits. At most three outcomes are in the channel, so that no send ever blocks: errReturned,
// which is sent once, errLost, which is not sent again before it is taken, and the last, by whoever took the call out of
// the registry.
type pendingCall struct {
	queue      string
	idempotent bool
	outcomes   chan outcome

	// Guarded by the registry's mutex.
	returned bool
	lost     bool // errLost is in the channel
	resends  int
}

func newPendingCall(queue string, idempotent bool) *pendingCall {
	return &pendingCall{queue: queue, idempotent: idempotent, outcomes: make(chan outcome, 3)}
}

// await returns the next outcome: ctx's error if that ends first. What is there already comes before it.
func (c *pendingCall) await(ctx context.Context) outcome {
	select {
	case o := <-c.outcomes:
		return o
	default:
	}
	select {
	case o := <-c.outcomes:
		return o
	case <-ctx.Done():
		return outcome{err: ctx.Err()}
	}
}

// registry holds the calls that wait, by correlation id.
type registry struct {
	max, maxPerQueue int
	verify           bool // see ClientOptions.VerifyReplies

	mu       sync.Mutex
	calls    map[string]*pendingCall
	perQueue map[string]int
	err      error         // why no call is taken, if so
	idle     chan struct{} // closed once no call is taken and none waits
}

func newRegistry(o ClientOptions) *registry {
	return &registry{
		max:         o.MaxPending,
		maxPerQueue: o.MaxPendingPerQueue,
		verify:      o.VerifyReplies,
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

// add registers a call, or says why not.
func (r *registry) add(id string, c *pendingCall) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err != nil:
		return r.err
	case len(r.calls) >= r.max:
		return fmt.Errorf("%w: %d in all, the limit", ErrTooManyPending, r.max)
	case r.perQueue[c.queue] >= r.maxPerQueue:
		return fmt.Errorf("%w: %d on this queue, the limit", ErrTooManyPending, r.maxPerQueue)
	case r.calls[id] != nil:
		return fmt.Errorf("correlation id %q is pending already", id)
	}
	r.calls[id] = c
	r.perQueue[c.queue]++
	return nil
}

// remove forgets a call, if it is still registered.
func (r *registry) remove(id string, c *pendingCall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[id] == c {
		r.delete(id, c)
	}
}

// finish takes out the call that a reply answers and gives it the reply; or errOrphan, or errForged.
func (r *registry) finish(reply *messaging.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[reply.CorrelationID]
	switch {
	case c == nil:
		return errOrphan
	case r.verify && !fromService(reply, c.queue):
		return errForged
	}
	r.delete(reply.CorrelationID, c)
	c.outcomes <- outcome{reply: reply}
	return nil
}

// fromService reports whether the broker vouches that the service behind queue sent the reply.
func fromService(reply *messaging.Message, queue string) bool {
	service, _, _ := strings.Cut(queue, ".")
	return service != "" && reply.UserID == service
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

// lose tells the calls that may be sent again that their requests may be lost.
func (r *registry) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		if c.idempotent && !c.lost && c.resends < maxResends {
			c.lost = true
			c.resends++
			c.outcomes <- outcome{err: errLost}
		}
	}
}

// resume makes room for the next errLost of a call. false: the call has its last outcome.
func (r *registry) resume(id string, c *pendingCall) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.lost = false
	return r.calls[id] == c
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
