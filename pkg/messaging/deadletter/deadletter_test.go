package deadletter_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/driver"
)

func TestMark(t *testing.T) {
	now := time.Date(2026, time.May, 1, 2, 3, 4, 0, time.UTC)
	own := map[string]any{
		deadletter.QueueHeader:  "orders.create",
		deadletter.ReasonHeader: deadletter.ReasonDeliveryLimit,
		deadletter.TimeHeader:   now,
	}
	for name, test := range map[string]struct{ headers, want map[string]any }{
		"no headers": {nil, own},
		"headers": {
			map[string]any{"key": "value"},
			map[string]any{
				"key":                   "value",
				deadletter.QueueHeader:  "orders.create",
				deadletter.ReasonHeader: deadletter.ReasonDeliveryLimit,
				deadletter.TimeHeader:   now,
			},
		},
		"dead-lettered before": {map[string]any{deadletter.QueueHeader: "orders.create.dead"}, own},
	} {
		t.Run(name, func(t *testing.T) {
			m := messaging.Message{ID: "1", Body: []byte("body"), Headers: test.headers, TTL: time.Second}
			before := driver.Normalize(m)
			got := deadletter.Mark(m, "orders.create", deadletter.ReasonDeliveryLimit, now)
			want := messaging.Message{ID: "1", Body: []byte("body"), Headers: test.want, Persistent: true}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("dead letter (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, m); diff != "" {
				t.Errorf("the message itself was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestDeathOf(t *testing.T) {
	now := time.Date(2026, time.May, 1, 2, 3, 4, 0, time.UTC)
	dead := deadletter.Mark(messaging.Message{}, "orders.create", deadletter.ReasonRejected, now)
	foreign := messaging.Message{Headers: map[string]any{deadletter.QueueHeader: 1}}
	for name, test := range map[string]struct {
		m    messaging.Message
		want deadletter.Death
	}{
		"a dead letter":   {dead, deadletter.Death{Queue: "orders.create", Reason: deadletter.ReasonRejected, Time: now}},
		"another message": {messaging.Message{}, deadletter.Death{}},
		"other types":     {foreign, deadletter.Death{}},
	} {
		if diff := cmp.Diff(test.want, deadletter.DeathOf(test.m)); diff != "" {
			t.Errorf("death of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRevive(t *testing.T) {
	for name, headers := range map[string]map[string]any{
		"no headers": nil,
		"headers":    {"key": "value"},
	} {
		t.Run(name, func(t *testing.T) {
			m := messaging.Message{ID: "1", Body: []byte("body"), Headers: headers, Persistent: true}
			dead := deadletter.Mark(m, "orders.create", deadletter.ReasonDeliveryLimit, time.Now())
			before := driver.Normalize(dead)
			if diff := cmp.Diff(m, deadletter.Revive(dead)); diff != "" {
				t.Errorf("revived message (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, driver.Normalize(dead)); diff != "" {
				t.Errorf("the dead letter itself was changed (-before +after):\n%s", diff)
			}
		})
	}
}
