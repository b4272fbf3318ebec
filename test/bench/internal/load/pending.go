package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

var errWrongSize = errors.New("reply of the wrong size")

// Pending matches replies with the calls of a client. The zero value is ready.
type Pending struct {
	mu    sync.Mutex
	calls map[string]chan<- int // by correlation ID; receives the size of the reply
}

// Add registers a call before its request is published.
func (p *Pending) Add(id string) <-chan int {
	reply := make(chan int, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == nil {
		p.calls = map[string]chan<- int{}
	}
	p.calls[id] = reply
	return reply
}

// Receive gives a reply to its call. A reply that no call waits for is an error: it came twice, or to the wrong client.
func (p *Pending) Receive(id string, size int) error {
	p.mu.Lock()
	reply, ok := p.calls[id]
	delete(p.calls, id)
	p.mu.Unlock()
	if !ok {
		return fmt.Errorf("no call waits for reply %q", id)
	}
	reply <- size
	return nil
}

// Await waits for a reply, which must have the wanted size.
func Await(ctx context.Context, reply <-chan int, want int) error {
	select {
	case size := <-reply:
		if size != want {
			return errWrongSize
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
