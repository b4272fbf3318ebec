package console

import (
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/warren/pkg/telemetry"
)

// limits bound a store.
type limits struct {
	spans      int // in all
	bytes      int // in all, as span.size counts them
	traceSpans int // in one trace
	perSecond  int // spans, on average
}

var defaultLimits = limits{spans: 50_000, bytes: 64 << 20, traceSpans: 1000, perSecond: 1000}

// trace is the spans of one trace, in the order of their arrival.
type trace struct {
	id          string
	arrived     time.Time // when its first span did
	changed     uint64    // the store's count of changes at the last one
	weight      float64   // how many traces it stands for
	spans       []*span
	size        int
	correlation string // its correlation ID, or ""
}

// store keeps the newest traces. Those that it returns are copies; they share their spans, of which none changes, with it.
type store struct {
	limits limits
	now    func() time.Time

	mu            sync.Mutex // guards all below, and all of the traces but their spans' content, which never changes
	sampler       *sampler
	traces        map[string]*trace
	byCorrelation map[string]string // trace IDs
	order         []*trace          // by arrived
	spans, size   int
	changes       uint64
	arrivals      float64 // traces, those that were not kept included
	queues        map[string]bool
	began         time.Time
	evicted       bool // there were more traces than the limits allow
}

// maxQueues bounds the names of queues that spans may add.
const maxQueues = 200

func newStore(l limits) *store {
	return &store{
		began:         time.Now(),
		queues:        map[string]bool{},
		limits:        l,
		now:           time.Now,
		sampler:       newSampler(l.perSecond),
		traces:        map[string]*trace{},
		byCorrelation: map[string]string{},
	}
}

// admit reports whether to add a span.
func (s *store) admit(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.traces[id]
	return id != "" && s.sampler.keep(id, known, s.now())
}

// keeps reports whether spans of a trace would be added now.
func (s *store) keeps(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.traces[id]
	return known || s.sampler.wants(id)
}

// add adds a span that admit has let in. A span that is there already, because its exporter has sent it twice, is ignored.
func (s *store) add(added *span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.traces[added.trace]
	if t == nil {
		t = &trace{id: added.trace, arrived: s.now(), weight: 1 / s.sampler.share}
		s.order = append(s.order, t)
		s.traces[t.id] = t
		s.arrivals += t.weight
	}
	sentTwice := slices.ContainsFunc(t.spans, func(s *span) bool { return s.ID == added.ID })
	if len(t.spans) >= s.limits.traceSpans || sentTwice {
		return
	}
	t.spans = append(t.spans, added)
	t.size += added.size
	s.spans++
	s.size += added.size
	s.changes++
	t.changed = s.changes
	if id := added.text(telemetry.ConversationID); id != "" && t.correlation == "" {
		t.correlation = id
		s.byCorrelation[id] = t.id
	}
	if name := added.queue(); name != "" && len(s.queues) < maxQueues {
		s.queues[name] = true
	}
	for s.spans > s.limits.spans || s.size > s.limits.bytes {
		s.removeOldest()
	}
}

func (s *store) removeOldest() {
	s.evicted = true
	t := s.order[0]
	s.order[0] = nil
	s.order = s.order[1:]
	delete(s.traces, t.id)
	if s.byCorrelation[t.correlation] == t.id {
		delete(s.byCorrelation, t.correlation)
	}
	s.spans -= len(t.spans)
	s.size -= t.size
}

// find returns a copy of a trace, or false.
func (s *store) find(id string) (trace, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.traces[id]
	if !ok {
		return trace{}, false
	}
	return *t, true
}

// newest returns up to limit traces that f accepts and that have changed since a change, those that arrived last first. It also
// returns the last change.
func (s *store) newest(since uint64, limit int, f func(trace) bool) ([]trace, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []trace
	for _, t := range slices.Backward(s.order) {
		if len(out) == limit {
			break
		}
		if t.changed > since && f(*t) {
			out = append(out, *t)
		}
	}
	return out, s.changes
}

// counts is what a store has seen.
type counts struct {
	keptShare     float64
	spans, traces int // in the store
	arrivals      float64
}

func (s *store) counts() counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sampler.adjust(s.now())
	return counts{keptShare: s.sampler.share, spans: s.spans, traces: len(s.traces), arrivals: s.arrivals}
}

// queueNames returns the queues that spans have named.
func (s *store) queueNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.queues))
}

// coveredSince returns the time from which the store has every trace that was kept.
func (s *store) coveredSince() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.evicted && len(s.order) > 0 {
		return s.order[0].arrived
	}
	return s.began
}

func (s *store) correlated(id string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.byCorrelation[id]
	return found, ok
}
