package chaos

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/warren/test/internal/system"
)

// TestLongOverload has far more clients call orders, which is down, than may wait for it. The gateway's memory is bounded, it
// refuses the clients over the limit, and calls to other queues succeed.
func TestLongOverload(t *testing.T) {
	timeout, admitted, surplus := size(8*time.Second, 20*time.Second), size(200, 2_000), size(1_800, 18_000)
	connections := admitted + surplus - size(100, 500) // the last ones wait in the kernel
	s := suite.StartSystem(t, "RPC_TIMEOUT="+timeout.String(), fmt.Sprintf("RPC_MAX_PENDING_PER_QUEUE=%d", admitted),
		fmt.Sprintf("GATEWAY_MAX_CONNECTIONS=%d", connections),
		"GATEWAY_READ_HEADER_TIMEOUT=5m", "GATEWAY_READ_TIMEOUT=5m") // connections are idle before they send
	before, during := size(10, 20), size(20, 100)
	others := users(t, s.API, before+during)
	usual := logOut(t, others[:before])
	demo := s.API.Login(t, "demo")
	s.Process("orders").Stop(t)

	of := flooding{
		Addr:        strings.TrimPrefix(s.API.URL, "http://"),
		Request:     rawRequest(http.MethodPost, "/v1/orders", demo.Token, orderOf("flood-0")),
		Connections: admitted,
	}
	memory := memory{admitted: admitted, surplus: surplus, rest: residentPeak(t, s.Gateway)}
	waiting := startFlood(t, of)
	of.Connections = surplus
	// All connect before the first call waits: the kernel takes long to find ports for so many, on a busy machine longer than
	// calls wait.
	refused := startFlood(t, of)
	memory.connected = residentPeak(t, s.Gateway)
	waiting.send()
	awaitPending(t, s.Gateway, admitted)
	memory.pending = residentPeak(t, s.Gateway)
	refused.send()
	meanwhile := logOut(t, others[before:])

	r := row{sent: admitted + surplus + during, answered: during}
	refusals := r.count(t, refused.results(t), http.StatusServiceUnavailable)
	memory.peak = residentPeak(t, s.Gateway)
	timeouts := r.count(t, waiting.results(t), http.StatusBadGateway)
	memory.check(t)
	atMost(t, "refusals", refusals, size(timeout, 10*time.Second))
	atMost(t, "time-outs", timeouts, timeout+size(20*time.Second, 5*time.Second))
	if got := slices.Min(timeouts); got < timeout-time.Second {
		t.Errorf("a time-out after %s, want %s", got, timeout)
	}
	atMost(t, "calls to another queue without the overload", usual, system.Patience)
	atMost(t, "calls to another queue", meanwhile, size(10*time.Second, 5*time.Second))
	if is, allowed := median(meanwhile), 10*median(usual)+size(2*time.Second, 250*time.Millisecond); is > allowed {
		t.Errorf("half of the calls to another queue took more than %s, want %s at most", is, allowed)
	}

	began := time.Now()
	s.Start(t, "orders").AwaitReady(t)
	demo.Want(t, http.StatusOK, http.MethodGet, "/v1/orders", "")
	r.sent, r.answered, r.recovery = r.sent+1, r.answered+1, time.Since(began)
	if orders := readOrders(t, ordersDatabase(s.Dir), "flood"); len(orders) != 0 {
		t.Errorf("calls that had timed out made orders %q", orders)
	}
	r.fault = fmt.Sprintf("%d requests at once to a stopped orders, %d may wait (the others refused within %s)",
		admitted+surplus, admitted, slices.Max(refusals).Round(time.Millisecond))
	results.add(r)
}

// count adds results to the row and returns their times. All must have the status.
func (r *row) count(t *testing.T, all []result, status int) []time.Duration {
	t.Helper()
	var times []time.Duration
	seen := map[string]bool{}
	wrong := 0
	for _, each := range all {
		times = append(times, each.Took)
		switch {
		case each.Status == 0:
			r.lost++
		case seen[each.CorrelationID]:
			r.doubled++
		default:
			r.failed++
		}
		seen[each.CorrelationID] = true
		if each.Status == status && each.Error == "" {
			continue
		}
		if wrong++; wrong <= 10 {
			t.Errorf("status %d after %s, want %d: %s", each.Status, each.Took, status, each.Error)
		}
	}
	if wrong > 10 {
		t.Errorf("%d such results", wrong)
	}
	return times
}

// atMost logs how long calls took, and fails the test if one took longer than allowed.
func atMost(t *testing.T, what string, times []time.Duration, allowed time.Duration) {
	t.Helper()
	slowest := slices.Max(times)
	t.Logf("%s: half within %s, all within %s", what, median(times), slowest)
	if slowest > allowed {
		t.Errorf("%s took up to %s, want %s at most", what, slowest, allowed)
	}
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// users logs users in. Every second one dials for each call, the others share a keep-alive connection.
func users(t *testing.T, api system.API, n int) []system.API {
	t.Helper()
	shared := &http.Transport{}
	t.Cleanup(shared.CloseIdleConnections)
	clients := []*http.Client{{Transport: shared}, {Transport: &http.Transport{DisableKeepAlives: true}}}
	all := make([]system.API, n)
	for i := range all {
		api.Client = clients[i%len(clients)]
		all[i] = api.Login(t, "demo")
	}
	return all
}

// logOut logs users out one after the other, and returns how long each call took.
func logOut(t *testing.T, users []system.API) []time.Duration {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var times []time.Duration
	for _, user := range users {
		times = append(times, system.Take(func() { user.Want(t, http.StatusNoContent, http.MethodPost, "/v1/logout", "") }))
		<-tick.C
	}
	return times
}
