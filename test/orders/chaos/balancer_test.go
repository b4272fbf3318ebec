package chaos

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// balancer is an http.RoundTripper that acts as a load balancer: it probes the readiness of gateways and sends requests to
// the ready ones in turns. It never sends a request twice.
type balancer struct {
	transport *http.Transport
	upstreams []*upstream
	next      atomic.Uint64
}

// upstream is the address of a gateway. The process that listens there changes.
type upstream struct {
	addr  string
	admin atomic.Pointer[string] // admin address of the current process
	ready atomic.Bool
}

// probeInterval is the time between two probes of a gateway.
const probeInterval = 50 * time.Millisecond

// startBalancer probes the gateways at addrs until the test ends. None is ready before occupy.
func startBalancer(t *testing.T, addrs ...string) *balancer {
	t.Helper()
	b := &balancer{transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var probing sync.WaitGroup
	for _, addr := range addrs {
		u := &upstream{addr: addr}
		b.upstreams = append(b.upstreams, u)
		probing.Go(func() { u.probe(ctx) })
	}
	t.Cleanup(func() {
		stop()
		probing.Wait()
		b.transport.CloseIdleConnections()
	})
	return b
}

// occupy sets the process that listens at the address, and waits until it gets requests.
func (u *upstream) occupy(t *testing.T, gateway *system.Process) {
	t.Helper()
	u.admin.Store(&gateway.Admin)
	awaittest.Success(t, "the gateway ready", func(context.Context) error {
		if !u.ready.Load() {
			return errors.New("not ready")
		}
		return nil
	})
}

func (u *upstream) probe(ctx context.Context) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if admin := u.admin.Load(); admin != nil {
			status, _, err := system.Fetch(ctx, "http://"+*admin+"/readyz")
			u.ready.Store(err == nil && status == http.StatusOK)
		}
	}
}

// RoundTrip implements http.RoundTripper.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	for range b.upstreams {
		u := b.upstreams[b.next.Add(1)%uint64(len(b.upstreams))]
		if u.ready.Load() {
			r = r.Clone(r.Context())
			r.URL.Host = u.addr
			return b.transport.RoundTrip(r)
		}
	}
	return nil, errors.New("no gateway is ready")
}
