package messaging_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/driver"
)

func TestDeadLetter(t *testing.T) {
	now := time.Date(2026, time.May, 1, 2, 3, 4, 0, time.UTC)
	own := map[string]any{
		messaging.DeadLetterQueueHeader:  "orders.create",
		messaging.DeadLetterReasonHeader: messaging.DeadLetterLimit,
		messaging.DeadLetterTimeHeader:   now,
	}
	for name, test := range map[string]struct{ headers, want map[string]any }{
		"no headers": {nil, own},
		"headers": {
			map[string]any{"key": "value"},
			map[string]any{
				"key":                            "value",
				messaging.DeadLetterQueueHeader:  "orders.create",
				messaging.DeadLetterReasonHeader: messaging.DeadLetterLimit,
				messaging.DeadLetterTimeHeader:   now,
			},
		},
		"dead-lettered before": {map[string]any{messaging.DeadLetterQueueHeader: "orders.create.dead"}, own},
	} {
		t.Run(name, func(t *testing.T) {
			m := messaging.Message{ID: "1", Body: []byte("body"), Headers: test.headers, TTL: time.Second}
			before := driver.Normalize(m)
			got := messaging.DeadLetter(m, "orders.create", messaging.DeadLetterLimit, now)
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
	dead := messaging.DeadLetter(messaging.Message{}, "orders.create", messaging.DeadLetterRejected, now)
	foreign := messaging.Message{Headers: map[string]any{messaging.DeadLetterQueueHeader: 1}}
	for name, test := range map[string]struct {
		m    messaging.Message
		want messaging.Death
	}{
		"a dead letter":   {dead, messaging.Death{Queue: "orders.create", Reason: messaging.DeadLetterRejected, Time: now}},
		"another message": {messaging.Message{}, messaging.Death{}},
		"other types":     {foreign, messaging.Death{}},
	} {
		if diff := cmp.Diff(test.want, messaging.DeathOf(test.m)); diff != "" {
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
			dead := messaging.DeadLetter(m, "orders.create", messaging.DeadLetterLimit, time.Now())
			before := driver.Normalize(dead)
			if diff := cmp.Diff(m, messaging.Revive(dead)); diff != "" {
				t.Errorf("revived message (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, driver.Normalize(dead)); diff != "" {
				t.Errorf("the dead letter itself was changed (-before +after):\n%s", diff)
			}
		})
	}
}
