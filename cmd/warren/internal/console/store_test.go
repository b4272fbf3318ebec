package console

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// clock is a clock that tests set.
type clock struct{ now time.Time }

func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

func newTestStore(l limits) (*store, *clock) {
	s, c := newStore(l), &clock{epoch}
	s.now = func() time.Time { return c.now }
	return s, c
}

func numbered(n int) string { return fmt.Sprintf("%032x", n+1) }

// offer offers a span as the receiver does.
func (s *store) offer(trace, n, size int) (kept bool) {
	attributes := map[string]any{correlationKey: fmt.Sprint(trace)}
	added := &span{trace: numbered(trace), size: size, ID: fmt.Sprintf("%016x", n+1), Attributes: attributes}
	if !s.admit(added.trace) {
		return false
	}
	s.add(added)
	return true
}

// TestStoreIsBounded floods a store: it holds no more than its limits, in each of its parts, and keeps the newest.
func TestStoreIsBounded(t *testing.T) {
	l := limits{spans: 500, bytes: 60_000, traceSpans: 50, perSecond: 1 << 30}
	for name, size := range map[string]int{"spans": 100, "bytes": 1000} {
		t.Run(name, func(t *testing.T) {
			s, _ := newTestStore(l)
			for n := range 20_000 {
				s.offer(n/4, n, size)
				if s.spans > l.spans || s.size > l.bytes {
					t.Fatalf("%d spans with %d bytes", s.spans, s.size)
				}
			}
			if want := min(l.spans, l.bytes/size); s.spans < want-4 {
				t.Errorf("%d spans, want about %d", s.spans, want)
			}
			spans, size := 0, 0
			for _, t := range s.order {
				spans += len(t.spans)
				size += t.size
			}
			if spans != s.spans || size != s.size || len(s.traces) != len(s.order) || len(s.byCorrelation) != len(s.traces) {
				t.Errorf("%d spans with %d bytes, but it counts %d with %d; %d traces, %d in order, %d by correlation ID",
					spans, size, s.spans, s.size, len(s.traces), len(s.order), len(s.byCorrelation))
			}
			if _, ok := s.find(numbered(19_999 / 4)); !ok {
				t.Error("the newest trace is gone")
			}
		})
	}
	t.Run("one trace", func(t *testing.T) {
		s, _ := newTestStore(l)
		for n := range 1000 {
			s.offer(0, n, 1)
		}
		if s.spans != l.traceSpans {
			t.Errorf("%d spans, want %d", s.spans, l.traceSpans)
		}
	})
}

// flood offers traces of four spans each, ten at a time, so that the spans of a trace arrive apart from each other. It returns
// how many spans of each trace were kept.
func flood(s *store, c *clock, first, perSecond, seconds int) map[int]int {
	kept := map[int]int{}
	const together = 10
	for n := first; n < first+perSecond*seconds; n += together {
		for part := range 4 {
			for trace := n; trace < n+together; trace++ {
				if s.offer(trace, part, 1) {
					kept[trace]++
				} else {
					kept[trace] += 0
				}
			}
			c.advance(together * time.Second / time.Duration(4*perSecond))
		}
	}
	return kept
}

// TestSampling: of more than the limit, whole traces are kept, about as many as the limit allows, also while the load changes.
// The hashes of trace IDs differ from run to run, so the bounds are wide.
func TestSampling(t *testing.T) {
	l := limits{spans: 1 << 30, bytes: 1 << 30, traceSpans: 100, perSecond: 100}
	s, c := newTestStore(l)
	first := 0
	for _, load := range []int{20, 1000, 5000, 200, 20, 1000} {
		const seconds = 12
		before := s.spans
		for trace, n := range flood(s, c, first, load, seconds) {
			if n != 0 && n != 4 {
				t.Errorf("at %d/s: %d of 4 spans of trace %d", load, n, trace)
			}
		}
		first += load * seconds
		kept, want := s.spans-before, min(4*load, l.perSecond)*seconds
		if kept > 2*want+4*l.perSecond || kept < want/2 {
			t.Errorf("at %d/s: %d spans kept, want about %d", load, kept, want)
		}
		share := s.counts().keptShare
		if wanted := min(1, float64(l.perSecond)/float64(4*load)); share < wanted/2 || share > wanted*2 {
			t.Errorf("at %d/s: share %v, want about %v", load, share, wanted)
		}
	}
	c.advance(time.Minute)
	if got := s.counts().keptShare; got != 1 {
		t.Errorf("share %v after a pause, want 1", got)
	}
	// Each trace stands for as many as arrived.
	if got := s.counts().arrivals; got < 0.5*float64(first) || got > 1.5*float64(first) {
		t.Errorf("%v traces, want about %d", got, first)
	}
}

func TestLogBuffer(t *testing.T) {
	c := start(t, Options{})
	c.receiveAll(t, step{trace: 1, id: 1, service: "gateway"})
	id := strings.Repeat("01", 16)
	_, _ = fmt.Fprintf(c.Log(), `time=2026-05-01T02:03:04.000Z level=INFO msg="a \"b=\"" service=gateway status=200 trace_id=%s cause="<b>"`+
		"\nno log line trace_id=x\n\ntrace_id=\nlevel=INFO msg=other\n", id)
	got := get[traceResponse](t, c, "/api/traces/"+id).Logs
	if len(got) != 1 || got[0].Message != `a "b="` || got[0].Time != float64(epoch.UnixMilli()) || got[0].Level != "INFO" ||
		got[0].Service != "gateway" || got[0].Attributes["cause"] != "<b>" || got[0].Attributes["status"] != "200" {
		t.Errorf("logs %+v", got)
	}
	for n := range 3 * maxLines {
		_, _ = fmt.Fprintf(c.Log(), "msg=%d trace_id=%s %s\n", n, id, strings.Repeat("x", n%1500))
		if len(c.logs.lines) > maxLines || c.logs.size > maxLogSize+maxLine {
			t.Fatalf("%d lines with %d bytes", len(c.logs.lines), c.logs.size)
		}
	}
	lines := c.logs.of(id)
	if last := lines[len(lines)-1].Message; last != fmt.Sprint(3*maxLines-1) {
		t.Errorf("the last line is %s", last)
	}
}
