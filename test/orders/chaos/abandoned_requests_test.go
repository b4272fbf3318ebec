package chaos

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// TestLongAbandonedRequests has clients close their connection while their call waits for its reply. The gateway counts the call
// until its time limit, as the broker holds the request, and keeps nothing of it afterwards.
func TestLongAbandonedRequests(t *testing.T) {
	const timeout = 20 * time.Second
	s := suite.StartSystem(t, "RPC_TIMEOUT="+timeout.String())
	demo := s.API.Login(t, "demo")
	before := holdingOf(t, s.Gateway)
	s.Process("orders").Stop(t)
	request := rawRequest(http.MethodGet, "/v1/orders/none", demo.Token, "")
	rounds, clients := size(1, 5), size(500, 1000)
	r := row{fault: fmt.Sprintf("%d clients abandon their requests", rounds*clients)}
	var slowest, slowestOther time.Duration
	for range rounds {
		began := time.Now()
		conns := make([]net.Conn, clients)
		for i := range conns {
			conns[i] = dial(t, s.API)
			if _, err := io.WriteString(conns[i], request); err != nil {
				t.Fatal(err)
			}
		}
		awaitPending(t, s.Gateway, clients)
		slowestOther = max(slowestOther, system.Take(func() { s.API.Login(t, "demo") })) // uses another queue
		for _, conn := range conns {
			_ = conn.Close()
		}
		awaitPending(t, s.Gateway, 0)
		took := time.Since(began)
		if took < timeout {
			t.Errorf("abandoned calls counted for %s, want %s", took, timeout)
		}
		slowest = max(slowest, took-timeout)
		r.sent, r.answered = r.sent+1, r.answered+1
	}
	if allowed := size(20*time.Second, 5*time.Second); slowest > allowed {
		t.Errorf("%d entries left within %s of their time limit, want %s at most", clients, slowest, allowed)
	}
	expired := s.Gateway.Metric(t, "rpc_client_call_duration_seconds_count", "rpc_method", "orders.get", "error_type", "timeout")
	if want := float64(rounds * clients); expired != want {
		t.Errorf("%v calls expired, want %v", expired, want)
	}
	awaitHolding(t, s.Gateway, before)
	began := time.Now()
	s.Start(t, "orders").AwaitReady(t)
	demo.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
	r.sent, r.answered, r.recovery = r.sent+1, r.answered+1, time.Since(began)
	awaittest.Success(t, "no request is left", suite.Holds("orders.get", 0))
	r.fault += fmt.Sprintf(" (%d entries gone within %s of their time limit)", clients, slowest.Round(time.Millisecond))
	results.add(r)
	t.Logf("%+v; calls to another queue took %s at most; %v orphan replies", r, slowestOther,
		s.Gateway.Metric(t, "rpc_client_orphan_replies_total"))
}

func dial(t *testing.T, api system.API) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(api.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// awaitPending waits until want calls of a gateway wait for their reply.
func awaitPending(t *testing.T, gateway *system.Process, want int) {
	t.Helper()
	awaittest.Success(t, fmt.Sprintf("%d calls pending", want), func(ctx context.Context) error {
		got, err := gateway.Measure(ctx, "rpc_client_pending_calls")
		if err == nil && got != float64(want) {
			err = fmt.Errorf("%v are pending", got)
		}
		return err
	})
}
