package chaos

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// row is the effect of a fault on the calls of a load.
type row struct {
	fault                  string
	sent, answered, failed int
	// lost counts calls without a response, and orders that a response named and the database does not have.
	lost int
	// doubled counts calls that made two orders, and responses with the correlation ID of another call.
	doubled int
	// recovery is the longest time to recover; see the function of that name.
	recovery time.Duration
}

// never is the recovery of a fault that was not over when the next one came.
const never = time.Duration(1<<63 - 1)

// summarize counts calls. What only the database shows is missing.
func summarize(calls []call, outages []outage) row {
	r := row{sent: len(calls)}
	seen := map[string]bool{}
	var last time.Time
	for _, c := range calls {
		switch c.outcome {
		case answered:
			r.answered++
		case failed:
			r.failed++
		case lost:
			r.lost++
		case wrong: // fails the test
		}
		if c.correlationID != "" && seen[c.correlationID] {
			r.doubled++
		}
		seen[c.correlationID] = true
		if c.ended.After(last) {
			last = c.ended
		}
	}
	for i, each := range outages {
		end := last.Add(1)
		if i+1 < len(outages) {
			end = outages[i+1].from
		}
		took, ok := recovery(calls, each.to, end)
		if !ok {
			took = never
		}
		r.recovery = max(r.recovery, took)
	}
	return r
}

func TestSummarize(t *testing.T) {
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	got := summarize([]call{
		{began: at(1), ended: at(2), correlationID: "a"},
		{began: at(3), ended: at(4), correlationID: "b", outcome: failed},
		{began: at(5), ended: at(6), correlationID: "c"},
		{began: at(7), ended: at(8), outcome: lost},
		{began: at(7), ended: at(8), outcome: lost},
		{began: at(9), ended: at(10), correlationID: "c"},
		{began: at(11), ended: at(12), correlationID: "e", outcome: failed},
		{began: at(16), ended: at(17), correlationID: "f"},
	}, []outage{{at(2), at(2)}, {at(7), at(7)}, {at(11), at(15)}})
	want := row{sent: 8, answered: 4, failed: 2, lost: 2, doubled: 1, recovery: 4 * time.Second}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Error(diff)
	}
	if got := summarize([]call{{began: at(1), ended: at(2)}}, []outage{{at(3), at(3)}}); got.recovery != never {
		t.Errorf("recovery from a fault that is not over: %s", got.recovery)
	}
}

// report has a row for each fault.
type report struct {
	mu   sync.Mutex
	rows []row
}

func (r *report) add(of row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, of)
}

// print writes the rows as a Markdown table, if there are any.
func (r *report) print(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rows) == 0 {
		return
	}
	var b strings.Builder
	b.WriteString("\n| Fault | Calls sent | Answered | Failed cleanly | Lost | Doubled | Time to recover |\n" +
		"|---|--:|--:|--:|--:|--:|--:|\n")
	for _, row := range r.rows {
		recovery := row.recovery.Round(10 * time.Millisecond).String()
		if row.recovery == never {
			recovery = "never"
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %s |\n", row.fault,
			row.sent, row.answered, row.failed, row.lost, row.doubled, recovery)
	}
	fmt.Fprintln(w, b.String())
}
