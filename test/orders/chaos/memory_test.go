package chaos

import (
	"testing"

	"example.com/warren/test/internal/proc"
	"example.com/warren/test/internal/system"
)

// What a gateway may use in addition to its memory at rest, in bytes of resident memory, garbage of refusals included.
// RPC_MAX_PENDING_PER_QUEUE bounds the calls, and GATEWAY_MAX_CONNECTIONS the connections.
const (
	perConnection = 40 << 10
	perPending    = 40 << 10
)

// memory is the resident memory of a gateway at the stages of an overload, in bytes.
type memory struct {
	admitted, surplus int // connections whose call may wait, and the others
	rest              int
	connected         int // with all connections, before they send
	pending           int // with the pending calls too
	peak              int
}

// check logs what a call and a connection use, and fails the test if all together used more than allowed.
func (m memory) check(t *testing.T) {
	t.Helper()
	all := m.admitted + m.surplus
	t.Logf("memory: %d KiB at rest; %d KiB with %d connections, %d bytes each; %d KiB with %d calls pending, %d bytes each without its "+
		"connection; %d KiB at the peak, %d bytes for each of %d requests", m.rest>>10, m.connected>>10, all, (m.connected-m.rest)/all,
		m.pending>>10, m.admitted, (m.pending-m.connected)/m.admitted, m.peak>>10, (m.peak-m.rest)/all, all)
	if bound := m.rest + all*perConnection + m.admitted*perPending; m.peak > bound {
		t.Errorf("memory had a peak of %d bytes, want %d at most", m.peak, bound)
	}
}

// residentPeak returns the most bytes of memory that a process had resident so far (VmHWM of proc_pid_status(5)).
func residentPeak(t *testing.T, p *system.Process) int {
	t.Helper()
	kib, err := proc.Field(p.PID(), "status", "VmHWM:")
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
