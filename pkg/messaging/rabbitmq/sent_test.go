package rabbitmq

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/messaging"
)

// sentNow is a message that the broker never confirms.
func sentNow(m messaging.Message) *sent { return newSent("q", &m, &amqp.DeferredConfirmation{}) }

func TestSentIsACopy(t *testing.T) {
	var l sentMessages
	m := messaging.Message{ID: "1", Headers: map[string]any{"a": "before"}, Body: []byte("before")}
	l.add(sentNow(m))
	m.Headers["a"] = "after"
	copy(m.Body, "after.")
	want := &messaging.Message{ID: "1", Headers: map[string]any{"a": "before"}, Body: []byte("before")}
	if diff := cmp.Diff(want, l.unconfirmed[0].message); diff != "" {
		t.Errorf("what is kept (-want +got):\n%s", diff)
	}
}

func TestSentIsBounded(t *testing.T) {
	var l sentMessages
	large := messaging.Message{Body: make([]byte, messaging.MaxBodyBytes)}
	for range maxUnconfirmed {
		if !l.add(sentNow(large)) {
			t.Fatalf("not added after %d, want %d", len(l.unconfirmed), maxUnconfirmed)
		}
	}
	if l.add(sentNow(messaging.Message{})) {
		t.Errorf("more than %d are unconfirmed", maxUnconfirmed)
	}
	if l.bytes > maxKeptBytes {
		t.Errorf("%d bytes of bodies kept, want at most %d", l.bytes, maxKeptBytes)
	}
	if kept, _ := l.keep(sentNow(large)); kept {
		t.Errorf("a refused message kept beside %d bytes", l.bytes)
	}
}

// TestRefusedAwaitsNewChannels until there are such, and no longer.
func TestRefusedAwaitsNewChannels(t *testing.T) {
	var l sentMessages
	m := messaging.Message{Body: []byte("body")}
	for range maxUnconfirmed {
		if kept, replaced := l.keep(sentNow(m)); !kept || replaced {
			t.Fatalf("kept %t, replaced %t after %d", kept, replaced, len(l.refused))
		}
	}
	if kept, replaced := l.keep(sentNow(m)); kept || replaced {
		t.Errorf("kept %t, replaced %t after %d, want neither", kept, replaced, maxUnconfirmed)
	}
	if got := len(l.takeRefused()); got != maxUnconfirmed {
		t.Errorf("%d taken out, want %d", got, maxUnconfirmed)
	}
	if kept, replaced := l.keep(sentNow(m)); kept || !replaced {
		t.Errorf("kept %t, replaced %t once there are new channels", kept, replaced)
	}
	if l.bytes != 0 {
		t.Errorf("%d bytes of bodies kept, want none", l.bytes)
	}
}

func TestSentAgainUntil(t *testing.T) {
	for name, test := range map[string]struct {
		ttl, want time.Duration
	}{
		"no TTL":    {0, refusedPatience},
		"short TTL": {time.Second, time.Second},
		"long TTL":  {time.Hour, refusedPatience},
	} {
		t.Run(name, func(t *testing.T) {
			s := sentNow(messaging.Message{TTL: test.ttl})
			if got := time.Until(s.until).Round(time.Second); got != test.want {
				t.Errorf("sent again for %s, want %s", got, test.want)
			}
		})
	}
}
