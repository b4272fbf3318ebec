package dead

import (
	"testing"

	"example.com/warren/pkg/messaging"
)

func TestMessageID(t *testing.T) {
	for want, m := range map[string]messaging.Message{
		"message":             {ID: "message", CorrelationID: "correlation", Body: []byte("body")},
		"correlation":         {CorrelationID: "correlation", Body: []byte("body")},
		"sha256-230d8358dc8e": {Body: []byte("body")},
		`a\tb`:                {ID: "a\tb"},
	} {
		if got := newDeadMessage(m).id; got != want {
			t.Errorf("id of %+v = %s, want %s", m, got, want)
		}
	}
}
