package system

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"
)

// Patience bounds what the harness itself does: requests, and the start and end of processes. It is no promise of the
// system, so it is far longer than anything takes on a busy machine.
const Patience = time.Minute

// Take returns how long f took.
func Take(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// FreeAddr is FindAddr for a test.
func FreeAddr(t *testing.T) string {
	t.Helper()
	addr, err := FindAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// FindAddr returns a loopback address that no process listens on. Its port is below the range of outgoing connections, one
// of which could take it while the service is down, and above the range of RabbitMQ nodes, which may be down themselves.
func FindAddr(ctx context.Context) (string, error) {
	const lowest, highest = 21_000, 32_000
	var err error
	for range 1000 {
		port := lowest + rand.IntN(highest-lowest) //nolint:gosec // a port is no secret
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		var l net.Listener
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("find a free address: %w", err)
}
