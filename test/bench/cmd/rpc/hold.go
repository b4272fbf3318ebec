package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"example.com/warren/pkg/rpc"
)

const (
	// holdWithin bounds the time until all calls are pending, and again the time until the broker has taken them.
	holdWithin = 15 * time.Second
	// heldFor is the time limit of the pending calls. It leaves time for a load of some seconds.
	heldFor = 2*holdWithin + 5*time.Second
)

// hold makes n calls to a queue without a consumer. Once all are pending, it returns the memory of each call in bytes: the
// goroutine's stack and a share of the heap.
func hold(ctx context.Context, client *rpc.Client, queue string, n int) (float64, error) {
	before := inUse()
	deadline := time.Now().Add(heldFor)
	for range n {
		go func() {
			_, _ = client.Do(ctx, &rpc.Request{Queue: queue, Deadline: deadline}) // times out, or ends with ctx
		}()
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for patience := time.After(holdWithin); client.Pending() < n; {
		select {
		case <-tick.C:
		case <-patience:
			return 0, fmt.Errorf("hold %d calls: only %d are pending", n, client.Pending())
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return float64(inUse()-before) / float64(n), nil
}

// inUse returns the bytes of heap and stacks in use after garbage collection.
func inUse() int64 {
	for range 3 { // each collection halves the stacks that are too large
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse) //nolint:gosec // far below the maximum
}
