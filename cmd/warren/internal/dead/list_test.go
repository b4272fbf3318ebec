package dead

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
)

// request returns a message as the gateway sends it.
func request(id string) messaging.Message {
	return messaging.Message{
		ID: id, CorrelationID: id, Type: "rpc.request", AppID: "gateway", ReplyTo: "gateway.rpc.response",
		ContentType: "application/json",
		Timestamp:   time.Now().Add(-3*time.Hour - 30*time.Minute),
		Headers: map[string]any{
			"rpc-request":  "method=POST&path=%2Fv1%2Fthings",
			"rpc-identity": "subject=u-1",
			"rpc-deadline": time.Now().Add(-3 * time.Hour).UnixMilli(),
		},
		Body: []byte(`{"sku":"A-1"}`),
	}
}

func TestList(t *testing.T) {
	forEachQueueType(t, func(t *testing.T, b messaging.Broker, q messaging.Queue) {
		bury(t, b, q,
			request("1"),
			messaging.Message{ID: "2", Body: []byte("body")},
			messaging.Message{ID: "\x1b[2J\t3", Type: "rpc.request", Headers: map[string]any{"rpc-request": "path=%2F%E2%80%AE%00"}},
		)
		if err := b.Publish(awaittest.Context(t), q.Name+".dead", messaging.Message{ID: "4"}); err != nil {
			t.Fatal(err)
		}
		other := deadletter.Mark(messaging.Message{ID: "5"}, "other\n", deadletter.ReasonRejected, died)
		if err := b.Publish(awaittest.Context(t), q.Name+".dead", other); err != nil {
			t.Fatal(err)
		}
		from := "FROM" + strings.Repeat(" ", len(q.Name)-4)
		none := "-" + strings.Repeat(" ", len(q.Name)-1)
		want := result{out: q.Name + `.dead: 5 messages
ID          DIED                  ` + from + `  REASON          AGE  BYTES  SUBJECT  REQUEST
1           2026-05-01 02:03:04Z  ` + q.Name + `  delivery-limit  3h   13     u-1      POST /v1/things
2           2026-05-01 02:03:04Z  ` + q.Name + `  delivery-limit  -    4      -        -
\x1b[2J\t3  2026-05-01 02:03:04Z  ` + q.Name + `  delivery-limit  -    0      -        /\u202e\x00
4           -                     ` + none + `  -               -    0      -        -
5           2026-05-01 02:03:04Z  other\n` + none[7:] + `  rejected        -    0      -        -
`}
		if diff := cmp.Diff(want, warren(t, "dead", "list", q.Name), cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
	})
}

func TestListLimit(t *testing.T) {
	forEachQueueType(t, func(t *testing.T, b messaging.Broker, q messaging.Queue) {
		for i := range 5 {
			bury(t, b, q, messaging.Message{ID: fmt.Sprint(i)})
		}
		got := warren(t, "dead", "list", q.Name+".dead", "--limit=2")
		if want := q.Name + ".dead: 5 messages, here are the 2 oldest\n"; !strings.HasPrefix(got.out, want) {
			t.Errorf("got %+v, want %q", got, want)
		}
		if diff := cmp.Diff([]string{"0", "1"}, ids(got.out)); diff != "" {
			t.Errorf("ids (-want +got):\n%s", diff)
		}
		awaitList(t, q, "0", "1", "2", "3", "4")
	})
}

func TestListNothing(t *testing.T) {
	b := newBroker(t)
	q, other := newQueue(t, b, messaging.Classic), newQueue(t, b, messaging.Classic)
	newDeadLetterQueue(t, b, q)
	got := warren(t, "dead", "list", q.Name, other.Name, "no."+q.Name)
	want := result{
		out: q.Name + ".dead: empty\n\n" + other.Name + ".dead: no dead letters: the queue does not exist yet\n\n",
		err: "neither queue no." + q.Name + " nor no." + q.Name + ".dead exists: is the name right, and has the service run?",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

// TestListRenews lists a queue so often that RabbitMQ 4 would drop the message.
func TestListRenews(t *testing.T) {
	b := newBroker(t)
	q := newQueue(t, b, messaging.Quorum)
	newDeadLetterQueue(t, b, q)
	bury(t, b, q, request("1"))
	want := q.Name + ".dead: copied 1 message to the end of the queue"
	awaittest.Until(t, "a note of the copy", func() bool {
		return strings.HasPrefix(warren(t, "dead", "list", q.Name).notes, want)
	})
	awaitList(t, q, "1")
}

func TestAge(t *testing.T) {
	now := time.Now()
	for want, d := range map[string]time.Duration{
		"0s": -time.Minute, "59s": time.Minute - 1, "1m": time.Minute, "59m": time.Hour - 1, "1h": time.Hour,
		"47h": 48*time.Hour - 1, "2d": 48 * time.Hour,
	} {
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("age of %s = %s, want %s", d, got, want)
		}
	}
}
