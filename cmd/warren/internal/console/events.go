package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	eventInterval = 250 * time.Millisecond
	statsInterval = 4 // of the above
	maxEventBatch = 50
	writeTimeout  = 10 * time.Second // of a batch, to a client that does not read
)

// events sends the traces that change, as server-sent events, until the client or the console ends.
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		writeError(w, fail(http.StatusServiceUnavailable, "too many pages are open"))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	ticker := time.NewTicker(eventInterval)
	defer ticker.Stop()
	controller := http.NewResponseController(w)
	_ = controller.SetReadDeadline(time.Time{}) // else the stream would end with the server's ReadTimeout
	before := c.store.counts()
	_, seen := c.store.newest(0, 0, nil)
	for n := 0; ; n++ {
		var traces []trace
		if traces, seen = c.store.newest(seen, maxEventBatch, func(trace) bool { return true }); len(traces) > 0 {
			writeEvent(w, "request", newRequests(traces))
		}
		if n%statsInterval == 0 {
			now := c.store.counts()
			writeEvent(w, "stats", map[string]any{
				"per_second": now.arrivals - before.arrivals, "kept_share": now.keptShare, "spans": now.spans, "traces": now.traces,
			})
			before = now
		}
		_ = controller.SetWriteDeadline(time.Now().Add(writeTimeout))
		if controller.Flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}

// writeEvent ignores errors, which the following Flush returns.
func writeEvent(w http.ResponseWriter, name string, data any) {
	text, _ := json.Marshal(data) // has texts and numbers
	_, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, text)
}
