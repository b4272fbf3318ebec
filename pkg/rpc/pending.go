package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"example.com/warren/pkg/messaging"
)

var (
	// errReturned wakes a call whose request came back because its queue does not exist.
	errReturned = errors.New("request returned")
	// errLost wakes a call whose request may be lost.
	errLost = errors.New("request may be lost")

	// The reasons to drop a reply.
	errOrphan = errors.New("no such call")
	errForged = errors.New("not from the service that was called")
)

// maxResends bounds how often one request is sent again, so that repeated losses do not multiply the load.
const maxResends = 5

// outcome is what happened to a call: a reply, or an error.
type outcome struct {
	reply *messaging.Message
	err   error
}

// pendingCall is one call that waits.
//
// The registry sends outcomes with its mutex held, and never blocks: the channel has a place for errReturned, which it
// sends once, for errLost, which it sends only into an empty channel, and for the last outcome, which it sends when it
// deletes the call.
type pendingCall struct {
	queue         string
	correlationID string
	idempotent    bool
	outcomes      chan outcome

	// Guarded by the registry's mutex.
	returned bool
	resends  int
}

func newPendingCall(r *Request) *pendingCall {
	return &pendingCall{queue: r.Queue, correlationID: r.CorrelationID, idempotent: r.Idempotent, outcomes: make(chan outcome, 3)}
}

// waits reports whether no outcome has come yet.
func (c *pendingCall) waits() bool { return len(c.outcomes) == 0 }

// await returns the next outcome, or ctx's error. An outcome that has come already takes precedence.
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

// registry holds the calls that wait, by their secrets. A secret is the AMQP correlation ID of the request and of its reply. Only
// the called service learns it, so only that service can reply. The public ID and the reply's user ID are not enough: another
// service may know the ID, and can have the called service send a message of its choice.
type registry struct {
	max, maxPerQueue int
	verify           bool          // see ClientOptions.VerifyReplies
	idle             chan struct{} // closed when the registry is closed and no call waits

	mu       sync.Mutex // guards the fields below
	calls    map[string]*pendingCall
	perQueue map[string]int
	closed   bool // no call can be added
}

func newRegistry(o ClientOptions) *registry {
	return &registry{
		max:         o.MaxPending,
		maxPerQueue: o.MaxPendingPerQueue,
		verify:      o.VerifyReplies,
		idle:        make(chan struct{}),
		calls:       map[string]*pendingCall{},
		perQueue:    map[string]int{},
	}
}

// close lets no more calls be added.
func (r *registry) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.closeIdle()
	}
}

// closeIdle tells Close that no call waits any more.
func (r *registry) closeIdle() {
	if r.closed && len(r.calls) == 0 {
		close(r.idle)
	}
}

func (r *registry) add(secret string, c *pendingCall) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return ErrClosed
	case len(r.calls) >= r.max:
		return fmt.Errorf("%w: %d in all, the limit", ErrTooManyPending, r.max)
	case r.perQueue[c.queue] >= r.maxPerQueue:
		return fmt.Errorf("%w: %d on this queue, the limit", ErrTooManyPending, r.maxPerQueue)
	}
	r.calls[secret] = c
	r.perQueue[c.queue]++
	return nil
}

// remove deletes a call that still waits.
func (r *registry) remove(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.calls[secret]; c != nil {
		r.delete(secret, c)
	}
}

// finish gives a reply to its call, or returns errOrphan or errForged.
func (r *registry) finish(reply *messaging.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[reply.CorrelationID]
	switch {
	case c == nil:
		return errOrphan
	case r.verify && !fromService(reply, c.queue):
		return fmt.Errorf("%w: call %s of %s", errForged, c.correlationID, c.queue)
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

// failAll ends every call with err.
func (r *registry) failAll(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for secret, c := range r.calls {
		r.delete(secret, c)
		c.outcomes <- outcome{err: err}
	}
}

// returned wakes a call whose request came back. The first time it may try again, the second time it ends.
func (r *registry) returned(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[secret]
	switch {
	case c == nil:
	case !c.returned:
		c.returned = true
		c.outcomes <- outcome{err: errReturned}
	default:
		r.delete(secret, c)
		c.outcomes <- outcome{err: messaging.ErrUnroutable}
	}
}

// lose wakes the calls that may be sent again, because their requests may be lost.
func (r *registry) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		if c.idempotent && c.waits() && c.resends < maxResends {
			c.resends++
			c.outcomes <- outcome{err: errLost}
		}
	}
}

func (r *registry) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}

func (r *registry) delete(secret string, c *pendingCall) {
	delete(r.calls, secret)
	r.perQueue[c.queue]--
	if r.perQueue[c.queue] == 0 {
		delete(r.perQueue, c.queue)
	}
	r.closeIdle()
}
