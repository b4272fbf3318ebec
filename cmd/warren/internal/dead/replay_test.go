package dead

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/rpc"
)

// serve handles q's requests. It returns a channel of the requests and one with a value for each request that expired.
func serve(t *testing.T, b messaging.Broker, q messaging.Queue) (handled <-chan *rpc.Request, expired <-chan struct{}) {
	t.Helper()
	requests, drops := make(chan *rpc.Request, 100), make(chan struct{}, 100)
	s := rpc.NewServer(b, rpc.ServerOptions{
		Name: "things", Logger: slog.New(slog.DiscardHandler), QueueType: q.Type,
		Observer: rpc.Observer{ExpiredRequest: func() { drops <- struct{}{} }},
	})
	s.Handle(q.Name, func(_ context.Context, r *rpc.Request) (*rpc.Reply, error) {
		requests <- r
		return &rpc.Reply{}, nil
	})
	if err := s.Start(awaittest.Context(t)); err != nil {
		t.Fatal(err)
	}
	return requests, drops
}

// TestReplay replays a request past its deadline, which the server would drop if it were not renewed.
func TestReplay(t *testing.T) {
	forEachQueueType(t, func(t *testing.T, b messaging.Broker, q messaging.Queue) {
		handled, expired := serve(t, b, q)
		if err := b.Publish(awaittest.Context(t), q.Name, request("0")); err != nil {
			t.Fatal(err)
		}
		awaittest.Receive(t, expired, "the request is dropped as it was")
		bury(t, b, q, request("1"), request("2"), request("3"))
		want := result{out: "replayed 2 to " + q.Name + "\n"}
		if got := warren(t, "dead", "replay", q.Name, "2"); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		r := awaittest.Receive(t, handled, "the replayed request")
		if r.ID != "2" || r.Method != http.MethodPost || r.Path != "/v1/things" || r.Identity.Subject != "u-1" ||
			!r.Deadline.IsZero() || string(r.Body) != `{"sku":"A-1"}` {
			t.Errorf("the request has become %+v", r)
		}
		awaitList(t, q, "1", "3")
		if n := len(handled) + len(expired); n > 0 {
			t.Errorf("%d more messages came", n)
		}
	})
}

// TestReplayAll replays messages that are dead-lettered again at once. The command replays each one once.
func TestReplayAll(t *testing.T) {
	forEachQueueType(t, func(t *testing.T, b messaging.Broker, q messaging.Queue) {
		want := ""
		var all []string
		for i := range 20 {
			bury(t, b, q, request(fmt.Sprint(i)))
			all = append(all, fmt.Sprint(i))
			want += fmt.Sprintf("replayed %d to %s\n", i, q.Name)
		}
		dying := q
		dying.DeadLetter = q.Name + ".dead"
		if _, err := b.Subscribe(awaittest.Context(t), dying, func(_ context.Context, m messaging.Message) error {
			return messaging.Reject(fmt.Errorf("message %s kills", m.ID))
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(result{out: want}, warren(t, "dead", "replay", q.Name+".dead", "--all"), cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("replay (-want +got):\n%s", diff)
		}
		awaitList(t, q, all...)
	})
}

// TestReplayOfOthers replays messages that do not claim to be from the method's queue. They stay in the dead-letter queue.
func TestReplayOfOthers(t *testing.T) {
	forEachQueueType(t, func(t *testing.T, b messaging.Broker, q messaging.Queue) {
		victim := newQueue(t, b, messaging.Classic)
		claims := map[string]string{"victim": victim.Name, "dead": q.Name + ".dead", "prefix": q.Name + "x", "line": "a\nb"}
		for _, id := range slices.Sorted(maps.Keys(claims)) {
			m := deadletter.Mark(request(id), claims[id], deadletter.ReasonDeliveryLimit, died)
			if err := b.Publish(awaittest.Context(t), q.Name+".dead", m); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Publish(awaittest.Context(t), q.Name+".dead", request("unknown")); err != nil {
			t.Fatal(err)
		}
		bury(t, b, q, request("here"))
		names := func(queue string) string { return "header dead-letter-queue names " + queue + ", not " + q.Name }
		want := result{
			out: "kept dead: " + names(q.Name+".dead") + "\n" +
				"kept line: " + names(`a\nb`) + "\n" +
				"kept prefix: " + names(q.Name+"x") + "\n" +
				"kept victim: " + names(victim.Name) + "\n" +
				"kept unknown: header dead-letter-queue, which names its queue, is missing\n" +
				"replayed here to " + q.Name + "\n",
			err: "5 of 6 messages not replayed, still in " + q.Name + ".dead: " + names(q.Name+".dead"),
		}
		if diff := cmp.Diff(want, warren(t, "dead", "replay", q.Name, "--all"), cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("replay (-want +got):\n%s", diff)
		}
		awaitList(t, q, "dead", "line", "prefix", "victim", "unknown")
		if err := b.Publish(awaittest.Context(t), victim.Name, request("own")); err != nil {
			t.Fatal(err)
		}
		received := make(chan string, 10)
		if _, err := b.Subscribe(awaittest.Context(t), victim, func(_ context.Context, m messaging.Message) error {
			received <- m.ID
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if id := awaittest.Receive(t, received, "a message"); id != "own" {
			t.Errorf("message %s was replayed to a queue that it named", id)
		}
	})
}

// TestReplayToNoQueue replays a message of a method whose queue is gone. It stays in the dead-letter queue.
func TestReplayToNoQueue(t *testing.T) {
	b := newBroker(t)
	gone := messaging.Queue{Name: "no." + newQueue(t, b, messaging.Classic).Name, Durable: true, Expiry: 10 * time.Minute}
	newDeadLetterQueue(t, b, gone)
	bury(t, b, gone, request("1"))
	noQueue := "publish to queue " + gone.Name + ": message unroutable: no queue " + gone.Name
	want := result{
		out: "kept 1: " + noQueue + "\n",
		err: "1 of 1 message not replayed, still in " + gone.Name + ".dead: " + noQueue,
	}
	if diff := cmp.Diff(want, warren(t, "dead", "replay", gone.Name, "--all"), cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("replay (-want +got):\n%s", diff)
	}
	awaitList(t, gone, "1")
}

// TestReplayInterrupted interrupts the command. Each message is in exactly one of the queues.
func TestReplayInterrupted(t *testing.T) {
	forEachQueueType(t, func(t *testing.T, b messaging.Broker, q messaging.Queue) {
		const n = 50
		for i := range n {
			bury(t, b, q, request(fmt.Sprint(i)))
		}
		replayed := make(chan string, 2*n)
		ctx, interrupt := context.WithCancel(awaittest.Context(t))
		defer interrupt()
		collect := func(_ context.Context, m messaging.Message) error {
			if replayed <- m.ID; len(replayed) == n/10 {
				interrupt()
			}
			return nil
		}
		if _, err := b.Subscribe(awaittest.Context(t), q, collect); err != nil {
			t.Fatal(err)
		}
		got := warrenUntil(ctx, t, "dead", "replay", q.Name, "--all")
		if got.err != "" && !strings.Contains(got.err, "context canceled") {
			t.Errorf("got %+v", got)
		}
		rest := q
		rest.Name += ".dead"
		if _, err := b.Subscribe(awaittest.Context(t), rest, collect); err != nil {
			t.Fatal(err)
		}
		var seen []string
		for range n {
			seen = append(seen, awaittest.Receive(t, replayed, "the rest"))
		}
		slices.Sort(seen)
		if got := len(slices.Compact(seen)); got != n {
			t.Errorf("%d of %d messages came, and others twice", got, n)
		}
	})
}

func TestReplaySelection(t *testing.T) {
	b := newBroker(t)
	q := newQueue(t, b, messaging.Classic)
	dead := q.Name + ".dead"
	if got := warren(t, "dead", "replay", q.Name, "--all"); !strings.HasSuffix(got.err, dead+": no such queue") {
		t.Errorf("replay without a queue: %+v", got)
	}
	newDeadLetterQueue(t, b, q)
	bury(t, b, q, request("1"), request("1"), request("2"))
	for _, test := range []struct {
		args []string
		want result
	}{
		{[]string{}, result{err: "give the ids of messages, or --all"}},
		{[]string{"1", "--all"}, result{err: "give ids or --all, not both"}},
		{[]string{"4", "3"}, result{err: "no message 3, 4 in " + dead}},
		{[]string{"3", "1"}, result{out: "replayed 1 to " + q.Name + "\n", err: "no message 3 in " + dead}},
		{[]string{"1", "2"}, result{out: "replayed 1 to " + q.Name + "\nreplayed 2 to " + q.Name + "\n"}},
		{[]string{"--all"}, result{out: dead + ": empty\n"}},
	} {
		if got := warren(t, append([]string{"dead", "replay", q.Name}, test.args...)...); got != test.want {
			t.Errorf("replay %v: got %+v, want %+v", test.args, got, test.want)
		}
	}
}
