package dead

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging"
)

func TestShow(t *testing.T) {
	forEachQueueType(t, func(t *testing.T, b messaging.Broker, q messaging.Queue) {
		m := request("2")
		m.Timestamp = died
		m.Headers = map[string]any{
			"rpc-version": 1,
			"rpc-path":    "/v1/<things>",
			"rpc-query":   map[string]any{"tag": []any{"a", "\x1b[2J\u009b"}},
			"\a":          []byte{0xff},
		}
		bury(t, b, q, request("1"), m, request("3"))
		want := result{out: strings.ReplaceAll(`Properties
  message_id      2
  correlation_id  2
  type            rpc.request
  app_id          gateway
  user_id         USER
  reply_to        gateway.rpc.response
  content_type    application/json
  timestamp       2026-05-01 02:03:04Z
  persistent      true
Headers
  \a                  "/w=="
  dead-letter-queue   "`+q.Name+`"
  dead-letter-reason  "delivery-limit"
  dead-letter-time    "2026-05-01T02:03:04Z"
  rpc-path            "/v1/<things>"
  rpc-query           {"tag":["a","\u001b[2J\u009b"]}
  rpc-version         1
Body, 13 bytes
{"sku":"A-1"}
`, "USER", brokerUser(t))}
		if diff := cmp.Diff(want, warren(t, "dead", "show", q.Name, "2"), cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("show (-want +got):\n%s", diff)
		}
		awaitList(t, q, "1", "2", "3")
	})
}

func TestShowProperties(t *testing.T) {
	var out strings.Builder
	m := messaging.Message{TTL: time.Second, Headers: map[string]any{"nested": map[string]any{"not a number": math.NaN()}}, Body: []byte{0xff}}
	if err := write(&out, m); err != nil {
		t.Fatal(err)
	}
	const want = `Properties
  expiration  1s
  persistent  false
Headers
  nested  map[not a number:NaN]
Body, 1 bytes
00000000  ff                                                |.|
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("show (-want +got):\n%s", diff)
	}
}

func TestShowNothing(t *testing.T) {
	b := newBroker(t)
	q := newQueue(t, b, messaging.Classic)
	if got, want := warren(t, "dead", "show", q.Name, "1").err, q.Name+".dead: no such queue"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	newDeadLetterQueue(t, b, q)
	bury(t, b, q, request("1"))
	if got, want := warren(t, "dead", "show", q.Name, "2"), (result{err: "no message 2 in " + q.Name + ".dead"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
