package console

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/messaging/rabbitmq"
)

// rig is a console with a broker that has the queue of a method, which a span has named, and its dead-letter queue.
type rig struct {
	*Console
	broker messaging.Broker
	queue  string
}

func forEachBroker(t *testing.T, f func(*testing.T, rig)) {
	t.Helper()
	t.Run("inmem", func(t *testing.T) {
		server := inmem.NewServer()
		b := server.Connect()
		browse := func(context.Context) (deadletter.Browser, error) { return server.Browse(), nil }
		f(t, newRig(t, b, &Broker{Kind: "inmem", Inspector: b, Browse: browse}))
	})
	t.Run("rabbitmq", func(t *testing.T) {
		options := rabbitmq.Options{URLs: []string{brokerURL}, Name: t.Name(), Logger: slog.New(slog.DiscardHandler)}
		b, err := rabbitmq.New(options)
		if err != nil {
			t.Fatal(err)
		}
		awaittest.Until(t, "the broker to be ready", func() bool { return b.Ready() == nil })
		f(t, newRig(t, b, RabbitMQ(b, options)))
	})
}

func newRig(t *testing.T, b messaging.Broker, shown *Broker) rig {
	t.Helper()
	t.Cleanup(func() {
		if err := b.Close(awaittest.Context(t)); err != nil {
			t.Error(err)
		}
	})
	r := rig{start(t, Options{Broker: shown}), b, "things" + strings.ToLower(rand.Text()) + ".get"}
	for _, name := range []string{r.queue, r.queue + ".dead"} {
		q := messaging.Queue{Name: name, Durable: true, Expiry: 10 * time.Minute} // cleans up a shared broker
		if err := b.Ensure(contextOf(t), q); err != nil {
			t.Fatal(err)
		}
	}
	r.receiveAll(t, step{
		trace: 1, id: 1, service: "gateway", name: "call", kind: tracepb.Span_SPAN_KIND_CLIENT,
		attributes: map[string]any{destinationKey: r.queue},
	}, step{trace: 2, id: 1, service: "evil", attributes: map[string]any{destinationKey: "no such queue\n<b>"}})
	return r
}

func (r rig) publish(t *testing.T, queue string, m messaging.Message) {
	t.Helper()
	if err := r.broker.Publish(contextOf(t), queue, m); err != nil {
		t.Fatal(err)
	}
}

func (r rig) bury(t *testing.T, m messaging.Message) {
	t.Helper()
	r.publish(t, r.queue+".dead", deadletter.Mark(m, r.queue, deadletter.ReasonRejected, epoch))
}

// states returns the rig's queues.
func (r rig) states(t *testing.T) (queue, dead queueState) {
	t.Helper()
	for _, q := range get[map[string][]queueState](t, r.Console, "/api/queues")["queues"] {
		switch q.Name {
		case r.queue:
			queue = q
		case r.queue + ".dead":
			dead = q
		}
		if q.Error != "" && q.Error != "no such queue" || strings.Contains(q.Name, "<b>") {
			t.Errorf("queue %+v", q)
		}
	}
	return queue, dead
}

func TestQueues(t *testing.T) {
	forEachBroker(t, func(t *testing.T, r rig) {
		r.publish(t, r.queue, messaging.Message{ID: "1"})
		r.publish(t, r.queue, messaging.Message{ID: "2"})
		r.bury(t, messaging.Message{ID: "3"})
		died := float64(epoch.UnixMilli())
		want := []queueState{{Name: r.queue, Messages: 2}, {Name: r.queue + ".dead", Dead: true, Messages: 1, Oldest: &died}}
		awaittest.Until(t, "2 messages and a dead one", func() bool {
			queue, dead := r.states(t)
			return cmp.Equal(want, []queueState{queue, dead})
		})
		r.wantMap(t, false)
		s, err := r.broker.Subscribe(contextOf(t), messaging.Queue{Name: r.queue, Durable: true, Expiry: 10 * time.Minute},
			func(context.Context, messaging.Message) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		awaittest.Until(t, "a consumer that takes the messages", func() bool {
			queue, _ := r.states(t)
			return queue.Consumers == 1 && queue.Messages == 0
		})
		r.wantMap(t, true)
		if err := s.Drain(contextOf(t)); err != nil {
			t.Error(err)
		}
		awaittest.Until(t, "no consumer", func() bool { queue, _ := r.states(t); return queue.Consumers == 0 })
		r.wantMap(t, false)
	})
}

// wantMap checks whether the map shows the service of the rig's queue as up.
func (r rig) wantMap(t *testing.T, up bool) {
	t.Helper()
	service, _, _ := strings.Cut(r.queue, ".")
	for _, s := range get[mapResponse](t, r.Console, "/api/map").Services {
		if s.Name == service {
			if s.Up == nil || *s.Up != up {
				t.Errorf("%s: up %v, want %t", service, s.Up, up)
			}
			return
		}
	}
	t.Errorf("%s is not on the map", service)
}

type deadResponse struct {
	Queue    string     `json:"queue"`
	Messages []deadView `json:"messages"`
}

func TestDeadLetters(t *testing.T) {
	forEachBroker(t, func(t *testing.T, r rig) {
		long := strings.Repeat("é", maxShownBody)
		r.bury(t, messaging.Message{
			ID: "<1>", Body: []byte("<script>"), ContentType: "text/html", Headers: map[string]any{"n": 1.5, "l": []any{"x"}},
		})
		r.bury(t, messaging.Message{ID: "2", Body: []byte{0xff, 0}})
		r.bury(t, messaging.Message{ID: "3", Body: []byte("x" + long)})
		path := "/api/dead?queue=" + r.queue + ".dead"
		got := get[deadResponse](t, r.Console, path)
		if len(got.Messages) != 3 {
			t.Fatalf("%+v", got)
		}
		first := got.Messages[0]
		died := float64(epoch.UnixMilli())
		for _, name := range []string{deadletter.QueueHeader, deadletter.ReasonHeader, deadletter.TimeHeader} {
			delete(first.Headers, name)
		}
		want := deadView{
			Key: "<1>", ID: "<1>", Reason: deadletter.ReasonRejected, Died: &died, FromQueue: r.queue, Size: 8, ContentType: "text/html",
			Headers: map[string]any{"n": 1.5, "l": []any{"x"}}, Body: "<script>", BodyIsText: true,
		}
		if diff := cmp.Diff(want, first); diff != "" {
			t.Errorf("message (-want +got):\n%s", diff)
		}
		if b := got.Messages[1]; b.BodyIsText || b.Body != "" || b.Size != 2 {
			t.Errorf("binary body %+v", b)
		}
		if b := got.Messages[2]; !b.BodyIsText || !b.Truncated || len(b.Body) > maxShownBody || b.Size != 1+len(long) {
			t.Errorf("long body: %d of %d bytes, text %t, truncated %t", len(b.Body), b.Size, b.BodyIsText, b.Truncated)
		}
		if raw := r.send(t, http.MethodGet, path, "", nil); strings.ContainsAny(raw.body, "<>") {
			t.Errorf("markup in %s", raw.body)
		}

		r.change(t, "replay", []string{"<1>"}, http.StatusOK, `{"done":1}`)
		r.change(t, "drop", []string{"2"}, http.StatusOK, `{"done":1}`)
		r.change(t, "drop", []string{"2"}, http.StatusConflict, "no message 2")
		awaittest.Until(t, "the replayed message, and one that is left", func() bool {
			queue, dead := r.states(t)
			return queue.Messages == 1 && dead.Messages == 1
		})
		if left := get[deadResponse](t, r.Console, path).Messages; len(left) != 1 || left[0].ID != "3" {
			t.Errorf("left: %d messages", len(left))
		}
		r.change(t, "drop", nil, http.StatusBadRequest, "keys")
		for path, want := range map[string]int{
			"/api/dead?queue=" + r.queue: http.StatusBadRequest,
			"/api/dead":                  http.StatusBadRequest,
			"/api/dead?queue=missing" + rand.Text() + ".a.dead": http.StatusNotFound,
		} {
			if got := r.send(t, http.MethodGet, path, "", nil); got.status != want {
				t.Errorf("%s: %d %s, want %d", path, got.status, got.body, want)
			}
		}
	})
}

func TestHeaderWithoutJSON(t *testing.T) {
	if got := newDeadView("1", messaging.Message{Headers: map[string]any{"n": math.Inf(1)}}).Headers["n"]; got != "+Inf" {
		t.Errorf("header %v", got)
	}
}

// change posts to /api/dead/….
func (r rig) change(t *testing.T, what string, keys []string, status int, part string) {
	t.Helper()
	body := fmt.Sprintf(`{"queue":%q,"keys":["%s"]}`, r.queue+".dead", strings.Join(keys, `","`))
	if keys == nil {
		body = `{"queue":"a.dead"}`
	}
	got := r.send(t, http.MethodPost, "/api/dead/"+what, body, nil)
	if got.status != status || !strings.Contains(got.body, part) {
		t.Errorf("%s %v: %d %s, want %d %s", what, keys, got.status, got.body, status, part)
	}
}

func TestBrokerAway(t *testing.T) {
	server := inmem.NewServer()
	b := server.Connect()
	defer b.Close(contextOf(t))
	browse := func(context.Context) (deadletter.Browser, error) { return server.Browse(), nil }
	c := start(t, Options{Broker: &Broker{Kind: "inmem", Inspector: b, Browse: browse}})
	server.SetAvailable(false)
	for _, path := range []string{"/api/queues", "/api/dead?queue=a.dead"} {
		if got := c.send(t, http.MethodGet, path, "", nil); got.status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s, want 503", path, got.status, got.body)
		}
	}
	if got := get[mapResponse](t, c, "/api/map"); got.QueuesError == "" {
		t.Error("the map does not say that the broker is away")
	}
}
