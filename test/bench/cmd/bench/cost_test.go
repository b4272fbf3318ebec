package main

import (
	"testing"
	"time"

	"example.com/warren/test/bench/internal/load"
)

// TestCostOfRequest bounds what hardly depends on the machine: the allocations and the write(2) calls of the gateway and of the
// service for one request, with one caller, so that no write serves two requests. On 2026-11-28 the gateway had 167 allocations and
// the services 140; more than half are amqp091-go's and net/http's.
func TestCostOfRequest(t *testing.T) {
	t.Chdir("../../../..") // the repository's root
	lab, err := newLab(t.Context(), []string{
		"./test/bench/cmd/" + benchService, "./services/gateway/cmd/gateway", "./services/access-control/cmd/access-control",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer lab.close()
	lab.count = countAllocations(countNothing)
	lab.logins = 1
	lab.settings = []string{"GATEWAY_TOKEN_CACHE=1h"}
	rows, err := lab.rows(t.Context(), starters, []string{"gateway"})
	if err != nil {
		t.Fatal(err)
	}
	// Reading the figures allocates up to 5,000 times more at one time than at another.
	const enough = 5000
	options := load.Options{Callers: 1, WarmUp: 2 * time.Second, Duration: 3 * time.Second}
	m, err := lab.measure(t.Context(), rows[0], options)
	if err == nil && 0 < m.Requests && m.Requests < enough {
		options.Duration *= time.Duration(enough/m.Requests + 1)
		m, err = lab.measure(t.Context(), rows[0], options)
	}
	if err != nil {
		t.Fatal(err)
	}
	if m.Requests == 0 || m.Errors > 0 || m.closed > 0 {
		t.Fatalf("%d requests, %d errors (%s), %d connections closed", m.Requests, m.Errors, m.Error, m.closed)
	}
	t.Logf("%d requests", m.Requests)
	for _, figure := range []struct {
		name    string
		total   float64
		highest float64
	}{
		{"allocations of the gateway", m.counts[0][allocations], 175},
		{"allocations of the services", m.counts[2][allocations], 147},
		{"writes of the gateway", float64(m.front.writes), 4},     // response, request, acknowledgement, and at worst a log line
		{"writes of the services", float64(m.services.writes), 2}, // reply, acknowledgement
	} {
		each := figure.total / float64(m.Requests)
		t.Logf("%.2f %s per request", each, figure.name)
		if each > figure.highest {
			t.Errorf("%.2f %s per request, want %.2f at most", each, figure.name, figure.highest)
		}
	}
}
