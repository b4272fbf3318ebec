package main

import (
	"testing"
	"time"

	"example.com/warren/test/bench/internal/load"
)

// TestLongWritesPerCall bounds the write(2) calls per RPC. They are the largest part of its cost, and depend little on the machine.
// No call may fail, and the broker may close no connection.
func TestLongWritesPerCall(t *testing.T) {
	t.Chdir("../../../..") // the repository's root
	lab, err := newLab(t.Context(), []string{"./test/bench/cmd/rpc"})
	if err != nil {
		t.Fatal(err)
	}
	defer lab.close()
	rows, err := lab.rows(t.Context(), starters, []string{"rpc"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := lab.measure(t.Context(), rows[0], load.Options{Callers: 64, WarmUp: time.Second, Duration: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if m.Requests == 0 || m.Errors > 0 || m.closed > 0 {
		t.Fatalf("%d calls, %d errors (%s), %d connections closed", m.Requests, m.Errors, m.Error, m.closed)
	}
	client := float64(m.front.writes) / float64(m.Requests)
	service := float64(m.services.writes) / float64(m.Requests)
	t.Logf("%.2f writes per call by the client, %.2f by the service, over %d calls", client, service, m.Requests)
	if client > 0.6 || service > 0.5 {
		t.Errorf("%.2f writes per call by the client and %.2f by the service, want 0.6 and 0.5 at most", client, service)
	}
}
