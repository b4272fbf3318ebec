package console

import (
	"hash/maphash"
	"math"
	"time"
)

// sampler chooses which traces to keep when more spans arrive than the page can use. It decides by the trace ID, so that all
// spans of a trace share a fate, whichever service sends them.
type sampler struct {
	limit   int     // spans per second that should be kept
	share   float64 // of the trace IDs
	seed    maphash.Seed
	began   time.Time // of the current second, or of what is left of it
	offered int       // spans in it
	kept    int       // spans in it

	// refused remembers hashes of traces that were not kept, each at its remainder: a trace must not begin in the middle when share
	// rises.
	refused [1 << 13]uint64
}

// minWindow keeps a short burst from being taken for a flood.
const minWindow = 100 * time.Millisecond

func newSampler(limit int) *sampler {
	return &sampler{limit: limit, share: 1, seed: maphash.MakeSeed()}
}

// keep decides about a span. known says that the store has other spans of its trace.
func (s *sampler) keep(id string, known bool, now time.Time) bool {
	s.adjust(now)
	s.offered++
	if !known && !s.wants(id) {
		hash := s.hash(id)
		s.refused[hash%uint64(len(s.refused))] = hash
		return false
	}
	s.kept++
	return true
}

func (s *sampler) hash(id string) uint64 { return maphash.String(s.seed, id) }

// wants reports whether a trace may begin now.
func (s *sampler) wants(id string) bool {
	hash := s.hash(id)
	return s.refused[hash%uint64(len(s.refused))] != hash && (s.share == 1 || float64(hash) < s.share*math.MaxUint64)
}

// adjust sets share each second, and at once when far too much is kept. share at most doubles in a second, so that a pause does
// not end in a flood.
func (s *sampler) adjust(now time.Time) {
	elapsed := now.Sub(s.began)
	if elapsed < time.Second && s.kept < 2*s.limit {
		return
	}
	wanted := 1.0
	if s.offered > 0 {
		wanted = min(1, float64(s.limit)*max(elapsed, minWindow).Seconds()/float64(s.offered))
	}
	s.share = min(wanted, s.share*math.Exp2(elapsed.Seconds()))
	s.began, s.offered, s.kept = now, 0, 0
}
