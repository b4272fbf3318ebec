package rabbitmq

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newTestAcknowledger returns an acknowledger without a channel. It must not reach threshold pending acknowledgements.
func newTestAcknowledger(threshold int) *acknowledger {
	return &acknowledger{
		threshold: threshold, timer: time.NewTimer(time.Hour), gaps: map[uint64]struct{}{}, pending: map[uint64]bool{},
	}
}

// TestAcknowledgerTake checks which frames would be sent after which messages are handled.
func TestAcknowledgerTake(t *testing.T) {
	type frames struct {
		Multiple uint64
		Single   []uint64
		More     bool
	}
	type step struct {
		handled  []uint64
		requeued []uint64
		all      bool
		want     frames
	}
	tests := map[string][]step{
		"in order": {
			{handled: []uint64{1, 2, 3}, want: frames{Multiple: 3}},
			{handled: []uint64{4}, want: frames{Multiple: 4}},
		},
		"nothing": {{want: frames{}}},
		"behind a slow handler": {
			{handled: []uint64{2, 3}, want: frames{More: true}},
			{want: frames{Single: []uint64{2, 3}}},
			{want: frames{}},
			{handled: []uint64{1, 4}, want: frames{Multiple: 4}},
		},
		"the gap closes in time": {
			{handled: []uint64{2}, want: frames{More: true}},
			{handled: []uint64{1}, want: frames{Multiple: 2}},
		},
		"requeued ones are never acknowledged": {
			{handled: []uint64{1}, requeued: []uint64{2}, want: frames{Multiple: 1}},
			{requeued: []uint64{3}, want: frames{}},
			{handled: []uint64{5}, requeued: []uint64{4}, want: frames{Multiple: 5}},
			{requeued: []uint64{6}, want: frames{}},
		},
		"all at the end": {
			{handled: []uint64{2, 4}, all: true, want: frames{Single: []uint64{2, 4}}},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			a := newTestAcknowledger(10)
			for i, s := range steps {
				for _, tag := range s.handled {
					a.ack(tag)
				}
				for _, tag := range s.requeued {
					a.settle(tag)
				}
				var got frames
				got.Multiple, got.Single, got.More = a.take(s.all)
				slices.Sort(got.Single)
				if diff := cmp.Diff(s.want, got); diff != "" {
					t.Errorf("step %d (-want +got):\n%s", i, diff)
				}
			}
			if last := steps[len(steps)-1]; !last.all && len(a.gaps)+len(a.pending) > 0 {
				t.Errorf("%d gaps and %d pending tags kept in memory", len(a.gaps), len(a.pending))
			}
		})
	}
}

// TestAcknowledgerBehindStuckHandler handles many messages while the first one is not handled.
func TestAcknowledgerBehindStuckHandler(t *testing.T) {
	a := newTestAcknowledger(10)
	for tag := uint64(2); tag < 1000; tag++ {
		a.ack(tag)
		a.take(true)
	}
	if len(a.gaps)+len(a.pending) > 1 {
		t.Errorf("%d gaps and %d pending tags kept in memory", len(a.gaps), len(a.pending))
	}
}
