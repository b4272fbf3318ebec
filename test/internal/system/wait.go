package system

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"
)

// Patience bounds each wait. Nothing takes this long unless it is broken.
const Patience = 60 * time.Second

// Take is how long f took.
func Take(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// FreeAddr returns an address of the loopback interface that nobody listens on. Its port is below those that systems give
// to outgoing connections, one of which could take it while the service is down, and above those of RabbitMQ nodes, which
// may be down themselves.
func FreeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := 21_000 + rand.IntN(11_000) //nolint:gosec // a port is no secret
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
		if err != nil {
			continue
		}
		_ = l.Close()
		return addr
	}
	t.Fatal("no free address")
	return ""
}
