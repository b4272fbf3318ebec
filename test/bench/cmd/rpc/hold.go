package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"example.com/warren/pkg/rpc"
)

const (
	// holdWithin is how long it may take until all calls are held, and again until the broker has taken them in.
	holdWithin = 15 * time.Second
	// heldFor leaves time for a load of some seconds.
	heldFor = 2*holdWithin + 5*time.Second
)

// hold makes n calls on a queue that nobody serves, and returns once they wait, with the memory that each takes: its
// goroutine's stack and its share of the heap, in bytes.
func hold(ctx context.Context, client *rpc.Client, queue string, n int) (float64, error) {
	before := inUse()
	deadline := time.Now().Add(heldFor)
	for range n {
		go func() {
			_, _ = client.Do(ctx, &rpc.Request{Queue: queue, Deadline: deadline}) // a time-out, or the end
		}()
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for patience := time.After(holdWithin); client.Pending() < n; {
		select {
		case <-tick.C:
		case <-patience:
			return 0, fmt.Errorf("hold %d calls: only %d wait", n, client.Pending())
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return float64(inUse()-before) / float64(n), nil
}

// inUse is the memory that Go has given out, without garbage.
func inUse() int64 {
	for range 3 { // each halves the stacks that are too large
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse) //nolint:gosec // far below
}
