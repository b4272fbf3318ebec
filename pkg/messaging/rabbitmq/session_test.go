package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

// within bounds each wait of these tests, rabbitmqctl included. It is no promise, so it is far longer than any wait on a busy
// machine.
const within = 2 * time.Minute

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	t.Cleanup(cancel)
	return ctx
}

func newTestBroker(t *testing.T, options Options) *Broker {
	t.Helper()
	if options.URLs == nil {
		options.URLs = []string{testURL}
	}
	options.Name = t.Name()
	options.Logger = slog.New(slog.DiscardHandler)
	b, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	awaitReady(t, b)
	return b
}

func awaitReady(t *testing.T, b *Broker) {
	t.Helper()
	ctx := testContext(t)
	for _, c := range []*connection{b.publishing, b.consuming} {
		if _, err := c.await(ctx); err != nil {
			t.Fatalf("broker not reached: %v", err)
		}
	}
}

func testQueue(t *testing.T) messaging.Queue {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/", ".") + "." + uuid.NewString()
	// Expiry cleans up on a broker that is shared.
	return messaging.Queue{Name: name, Durable: true, Expiry: 10 * time.Minute}
}

// received consumes a queue and returns the ids of its messages as they come.
func received(t *testing.T, b *Broker, q messaging.Queue) <-chan string {
	t.Helper()
	ids := make(chan string, 1000)
	if _, err := b.Subscribe(testContext(t), q, func(_ context.Context, m messaging.Message) error {
		ids <- m.ID
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(within):
		t.Fatalf("nothing came within %s", within)
		panic("unreachable")
	}
}

// cut breaks a connection as a network does, and returns once the next one stands.
func cut(t *testing.T, c *connection) {
	t.Helper()
	s, err := c.session()
	if err != nil {
		t.Fatal(err)
	}
	_ = s.socket.Conn.Close()
	<-s.over
	ctx := testContext(t)
	for {
		next, err := c.await(ctx)
		if err != nil {
			t.Fatalf("reconnect: %v", err)
		}
		if next != s {
			return
		}
		select {
		case <-c.changedSince(s):
		case <-ctx.Done():
			t.Fatal("no new connection")
		}
	}
}

// changedSince returns a channel that is closed when s is no longer current.
func (c *connection) changedSince(s *session) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == s {
		return c.changed
	}
	done := make(chan struct{})
	close(done)
	return done
}

// TestLateAcknowledgementTouchesNoOtherMessage is the loss that the AMQP library's own recovery shows: handlers of a
// lost connection finish and acknowledge tags 1 to 5, which on the new channel are other deliveries. Here those must
// all still be there after a second loss.
func TestLateAcknowledgementTouchesNoOtherMessage(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	const n = 5
	var generation atomic.Int32
	type start struct {
		generation int32
		id         string
	}
	started := make(chan start, 10*n)
	release := [3]chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	finished := make(chan struct{}, 10*n)
	_, err := b.Subscribe(testContext(t), q, func(_ context.Context, m messaging.Message) error {
		g := generation.Load()
		started <- start{g, m.ID}
		<-release[g]
		finished <- struct{}{}
		return nil
	}, messaging.WithConcurrency(3*n), messaging.WithPrefetch(3*n))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := b.Publish(testContext(t), q.Name, messaging.Message{ID: fmt.Sprint(i), Persistent: true}); err != nil {
			t.Fatal(err)
		}
	}
	awaitAll := func(g int32) {
		t.Helper()
		seen := map[string]bool{}
		for len(seen) < n {
			s := receive(t, started)
			if s.generation != g {
				t.Fatalf("message %s came in generation %d, want %d", s.id, s.generation, g)
			}
			seen[s.id] = true
		}
	}
	awaitAll(0)
	generation.Store(1)
	cut(t, b.consuming)
	awaitAll(1) // the same messages, as deliveries 1 to n of a new channel
	close(release[0])
	for range n {
		receive(t, finished)
	}
	generation.Store(2)
	<-time.After(50 * acknowledgeWithin) // whatever the old handlers acknowledged has reached the broker now
	cut(t, b.consuming)
	awaitAll(2)
	close(release[1])
	close(release[2])
}

func TestSubscriptionSurvivesLostConnections(t *testing.T) {
	var reconnects atomic.Int32
	b := newTestBroker(t, Options{OnReconnect: func() { reconnects.Add(1) }})
	q := testQueue(t)
	got := received(t, b, q)
	for i := range 3 {
		cut(t, b.publishing)
		cut(t, b.consuming)
		id := fmt.Sprint(i)
		if err := b.Send(testContext(t), q.Name, messaging.Message{ID: id}); err != nil {
			t.Fatalf("send after reconnect %d: %v", i, err)
		}
		if have := receive(t, got); have != id {
			t.Fatalf("got %s, want %s", have, id)
		}
	}
	if n := reconnects.Load(); n != 6 {
		t.Errorf("%d reconnects reported, want 6", n)
	}
}

func TestSubscriptionSurvivesDeletedQueue(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	got := received(t, b, q)
	deleteQueue(t, b, q.Name)
	ctx := testContext(t)
	for {
		if err := b.Publish(ctx, q.Name, messaging.Message{ID: "after"}); err == nil {
			break
		} else if !errors.Is(err, messaging.ErrUnroutable) {
			t.Fatal(err)
		}
	}
	if id := receive(t, got); id != "after" {
		t.Errorf("got %s, want the message sent after the queue was made again", id)
	}
}

// TestSubscriptionSurvivesManyDeletedQueues deletes a queue that is in use again and again, at any moment of its being made
// again. RabbitMQ 3.10.8 forgot the consumer once in about a hundred times.
func TestSubscriptionSurvivesManyDeletedQueues(t *testing.T) {
	t.Parallel()
	consuming, publishing := newTestBroker(t, Options{}), newTestBroker(t, Options{})
	q := testQueue(t)
	received := make(chan struct{}, 1)
	if _, err := consuming.Subscribe(testContext(t), q, func(context.Context, messaging.Message) error {
		signal(received)
		return nil
	}, messaging.WithConcurrency(8)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for range 4 {
		running.Go(func() {
			for ctx.Err() == nil {
				_ = publishing.Ensure(ctx, q) // whether it came before the next deletion, the sends tell
				_ = publishing.Send(ctx, q.Name, messaging.Message{})
				sleep(ctx, time.Millisecond)
			}
		})
	}
	const deletions, enough = 25, 5
	for range deletions {
		deleteQueue(t, publishing, q.Name)
		for range enough {
			receive(t, received)
		}
	}
}

func deleteQueue(t *testing.T, b *Broker, name string) {
	t.Helper()
	s, err := b.consuming.session()
	if err != nil {
		t.Fatal(err)
	}
	ch, err := s.amqp.Channel()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ch.Close() }()
	if _, err := ch.QueueDelete(name, false, false, false); err != nil {
		t.Fatal(err)
	}
}

// TestRefusal has a queue that is full refuse what is sent to it. What goes to another queue meanwhile is neither refused nor
// lost, though the channels are replaced.
func TestRefusal(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		publish func(b *Broker, queue string) error
	}{
		"sent":                         {Options{ConfirmSends: true}, sendTo},
		"published":                    {Options{ConfirmSends: true}, publishTo},
		"published, sends unconfirmed": {Options{}, publishTo},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTestBroker(t, test.options)
			var losses atomic.Int32
			defer b.OnLoss(func() { losses.Add(1) })()
			full, q := declareFull(t, b), testQueue(t)
			var got sync.Map
			if _, err := b.Subscribe(testContext(t), q, func(_ context.Context, m messaging.Message) error {
				got.Store(m.ID, nil)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			stop := keepPublishing(t, b, q.Name)
			for range 3 {
				replaced := awaitNewChannels(t, b)
				if err := test.publish(b, full); err != nil && !errors.Is(err, messaging.ErrUnavailable) {
					t.Errorf("to a full queue: %v", err)
				}
				replaced()
			}
			ids := stop()
			awaittest.Until(t, "all messages", func() bool {
				return !slices.ContainsFunc(ids, func(id string) bool {
					_, ok := got.Load(id)
					return !ok
				})
			})
			awaitConfirms(t, b, full)
			if n := losses.Load(); n != 0 {
				t.Errorf("%d losses, want none", n)
			}
		})
	}
}

// awaitNewChannels returns what waits until the channels that publish now have been replaced.
func awaitNewChannels(t *testing.T, b *Broker) (replaced func()) {
	t.Helper()
	s, err := b.publishing.session()
	if err != nil {
		t.Fatal(err)
	}
	before := s.publisher.Load()
	return func() {
		t.Helper()
		awaittest.Until(t, "new channels", func() bool { return s.publisher.Load() != before })
	}
}

// awaitConfirms waits until nothing is to be confirmed, or sent again but to a queue that stays full.
func awaitConfirms(t *testing.T, b *Broker, full ...string) {
	t.Helper()
	s, err := b.publishing.session()
	if err != nil {
		t.Fatal(err)
	}
	if s.sent == nil {
		return
	}
	awaittest.Until(t, "the confirms", func() bool {
		s.sent.mu.Lock()
		defer s.sent.mu.Unlock()
		return !slices.ContainsFunc(s.sent.list, func(m *sent) bool { return !slices.Contains(full, m.queue) })
	})
}

// TestRefusedIsSentAgain has a full queue refuse messages until there is room, or until one is of no use any more.
func TestRefusedIsSentAgain(t *testing.T) {
	b := newTestBroker(t, Options{ConfirmSends: true})
	full := declareFull(t, b)
	send := func(m messaging.Message) {
		t.Helper()
		if err := b.Send(testContext(t), full, m); err != nil {
			t.Fatal(err)
		}
	}
	replaced := awaitNewChannels(t, b)
	send(messaging.Message{ID: "expires", TTL: 50 * time.Millisecond}) // new channels take longer
	send(messaging.Message{ID: "lives", TTL: time.Minute})
	send(messaging.Message{ID: "for ever"})
	replaced()
	awaitNewChannels(t, b)() // refused twice

	got := make(chan messaging.Message, 10)
	if _, err := b.Subscribe(testContext(t), messaging.Queue{Name: full, Durable: true}, func(_ context.Context, m messaging.Message) error {
		got <- m
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, got); m.ID != filler {
		t.Errorf("%q arrived, want %q", m.ID, filler)
	}
	left := map[string]bool{"lives": true, "for ever": true}
	for len(left) > 0 {
		m := receive(t, got)
		if !left[m.ID] {
			t.Errorf("%q arrived, want each of the others once", m.ID)
		}
		delete(left, m.ID)
		if m.ID == "lives" && m.TTL >= time.Minute {
			t.Errorf("sent again with a TTL of %s, want what was left", m.TTL)
		}
	}
	awaitConfirms(t, b) // a copy that was too many is in the queue then
	send(messaging.Message{ID: "marker"})
	if m := receive(t, got); m.ID != "marker" {
		t.Errorf("%q arrived a second time", m.ID)
	}
}

func sendTo(b *Broker, queue string) error {
	return b.Send(context.Background(), queue, messaging.Message{})
}

func publishTo(b *Broker, queue string) error {
	return b.Publish(context.Background(), queue, messaging.Message{})
}

// keepPublishing sends and publishes until stop, which returns the ids of all messages: none may be refused.
func keepPublishing(t *testing.T, b *Broker, queue string) (stop func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	var running sync.WaitGroup
	var mu sync.Mutex
	var ids []string
	for worker := range 32 {
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprint(worker, "-", i)
				publish := b.Send
				// Those who only send would run ahead of the confirms, until so many are missing, or so late, that they count as lost.
				if worker%4 == 0 || i%16 == 0 {
					publish = b.Publish
				}
				if err := publish(testContext(t), queue, messaging.Message{ID: id}); err != nil {
					t.Errorf("publish to another queue: %v", err)
					return
				}
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
			}
		})
	}
	return func() []string {
		cancel()
		running.Wait()
		return ids
	}
}

// filler is the message that fills a queue of declareFull.
const filler = "filler"

// declareFull declares a queue that takes no message before it is consumed, and returns its name.
func declareFull(t *testing.T, b *Broker) string {
	t.Helper()
	s, err := b.consuming.session()
	if err != nil {
		t.Fatal(err)
	}
	ch, err := s.amqp.Channel()
	if err != nil {
		t.Fatal(err)
	}
	name := testQueue(t).Name
	arguments := amqp.Table{
		"x-queue-type": "classic", "x-max-length": int64(1), "x-overflow": "reject-publish", "x-expires": time.Minute.Milliseconds(),
	}
	if _, err := ch.QueueDeclare(name, true, false, false, false, arguments); err != nil {
		t.Fatal(err)
	}
	if err := ch.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(testContext(t), name, messaging.Message{ID: filler}); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestDeliveryLimitOutlivesTheConsumer has each delivery end with its connection, as if it had killed the process.
func TestDeliveryLimitOutlivesTheConsumer(t *testing.T) {
	for _, queueType := range []messaging.QueueType{messaging.Classic, messaging.Quorum} {
		t.Run(string(queueType), func(t *testing.T) {
			b := newTestBroker(t, Options{})
			const limit = 3
			q := testQueue(t)
			q.Type, q.DeliveryLimit, q.DeadLetter = queueType, limit, q.Name+".dead"
			deliveries := make(chan struct{}, 10*limit)
			hang := make(chan struct{})
			if _, err := b.Subscribe(testContext(t), q, func(context.Context, messaging.Message) error {
				deliveries <- struct{}{}
				<-hang
				return nil
			}, messaging.WithConcurrency(10*limit)); err != nil {
				t.Fatal(err)
			}
			defer close(hang)
			dead := make(chan messaging.Message, 1)
			if _, err := b.Subscribe(testContext(t), deadLetterQueue(q), func(_ context.Context, m messaging.Message) error {
				dead <- m
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if err := b.Publish(testContext(t), q.Name, messaging.Message{ID: "poison"}); err != nil {
				t.Fatal(err)
			}
			for range limit {
				receive(t, deliveries)
				cut(t, b.consuming)
			}
			m := receive(t, dead)
			if m.ID != "poison" || m.Headers[messaging.DeadLetterReasonHeader] != messaging.DeadLetterLimit ||
				m.Headers[messaging.DeadLetterQueueHeader] != q.Name {
				t.Errorf("dead letter %+v", m)
			}
			// On a classic queue the cut may come between a recounted copy and its original's acknowledgement.
			if extra := len(deliveries); extra > 1<<limit || queueType == messaging.Quorum && extra > 0 {
				t.Errorf("%d deliveries beyond the limit of %d", extra, limit)
			}
		})
	}
}

func TestEnsureTakesOtherArgumentsAsExisting(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	if err := b.Ensure(testContext(t), q); err != nil {
		t.Fatal(err)
	}
	other := newTestBroker(t, Options{})
	q.Expiry = time.Hour
	for range 2 {
		if err := other.Ensure(testContext(t), q); err != nil {
			t.Errorf("ensure with another expiry: %v", err)
		}
	}
	if err := other.Publish(testContext(t), q.Name, messaging.Message{}); err != nil {
		t.Errorf("publish after the refusal: %v", err)
	}
}

// TestExclusiveOnAQueueOfAnotherType: RabbitMQ lets others in on a quorum queue, which a queue that is taken as it is may be.
func TestExclusiveOnAQueueOfAnotherType(t *testing.T) {
	q := testQueue(t)
	quorum := q
	quorum.Type = messaging.Quorum
	first, second := newTestBroker(t, Options{}), newTestBroker(t, Options{})
	if err := first.Ensure(testContext(t), quorum); err != nil {
		t.Fatal(err)
	}
	ignore := func(context.Context, messaging.Message) error { return nil }
	if _, err := first.Subscribe(testContext(t), q, ignore, messaging.WithExclusive()); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Subscribe(testContext(t), q, ignore, messaging.WithExclusive()); !errors.Is(err, messaging.ErrQueueInUse) {
		t.Errorf("a second consumer: %v, want %v", err, messaging.ErrQueueInUse)
	}
}

func TestEnsureDeclaresOncePerConnection(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	if err := b.Ensure(testContext(t), q); err != nil {
		t.Fatal(err)
	}
	deleteQueue(t, b, q.Name)
	if err := b.Ensure(testContext(t), q); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(testContext(t), q.Name, messaging.Message{}); !errors.Is(err, messaging.ErrUnroutable) {
		t.Fatalf("the second Ensure declared again: publish says %v, want ErrUnroutable", err)
	}
	// The return has taught it that the queue is gone.
	if err := b.Ensure(testContext(t), q); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(testContext(t), q.Name, messaging.Message{}); err != nil {
		t.Errorf("publish to the queue made again: %v", err)
	}
}

// TestManyConfirms has so many publishers that the broker confirms faster than they begin: none may be forgotten.
func TestManyConfirms(t *testing.T) {
	b := newTestBroker(t, Options{})
	classic, quorum := testQueue(t), testQueue(t)
	quorum.Name += ".quorum"
	quorum.Type = messaging.Quorum
	for _, q := range []messaging.Queue{classic, quorum} {
		if err := b.Ensure(testContext(t), q); err != nil {
			t.Fatal(err)
		}
	}
	const publishers, messages = 500, 150
	ctx := testContext(t)
	var wg sync.WaitGroup
	for i := range publishers {
		q := classic
		if i%20 == 0 {
			q = quorum // whose confirms hold back those of the others
		}
		wg.Go(func() {
			for range messages {
				if err := b.Publish(ctx, q.Name, messaging.Message{Persistent: q.Type == messaging.Quorum}); err != nil {
					t.Errorf("publish: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestDrainGivesBackAtOnce: what was sent ahead must not wait for the handler that still runs.
func TestDrainGivesBackAtOnce(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	running, finish := make(chan struct{}), make(chan struct{})
	s, err := b.Subscribe(testContext(t), q, func(context.Context, messaging.Message) error {
		close(running)
		<-finish
		return nil
	}, messaging.WithPrefetch(10))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"handled", "ahead"} {
		if err := b.Publish(testContext(t), q.Name, messaging.Message{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	<-running
	drained := make(chan error, 1)
	ctx := testContext(t)
	go func() { drained <- s.Drain(ctx) }()
	got := received(t, b, q)
	if id := receive(t, got); id != "ahead" {
		t.Errorf("got %s", id)
	}
	close(finish)
	if err := receive(t, drained); err != nil {
		t.Error(err)
	}
}

// TestWorkersStartAsNeeded: many queues with little to do must not cost a goroutine for each message that they might handle.
func TestWorkersStartAsNeeded(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	const held = 3
	running, finish := make(chan struct{}, held), make(chan struct{})
	s, err := b.Subscribe(testContext(t), q, func(context.Context, messaging.Message) error {
		running <- struct{}{}
		<-finish
		return nil
	}, messaging.WithConcurrency(64))
	if err != nil {
		t.Fatal(err)
	}
	defer close(finish)
	for range held {
		if err := b.Publish(testContext(t), q.Name, messaging.Message{}); err != nil {
			t.Fatal(err)
		}
		receive(t, running)
	}
	// Each worker has a slot, and one at most waits for the next message.
	if workers := len(s.(*subscription).slots); workers > held+1 {
		t.Errorf("%d workers while %d messages are handled", workers, held)
	}
}

// TestRejectDuringDrain: a verdict that comes while the subscription drains counts as any other.
func TestRejectDuringDrain(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	q.DeadLetter = q.Name + ".dead"
	running, finish := make(chan struct{}), make(chan struct{})
	s, err := b.Subscribe(testContext(t), q, func(context.Context, messaging.Message) error {
		close(running)
		<-finish
		return messaging.Reject(errors.New("no"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(testContext(t), q.Name, messaging.Message{ID: "rejected"}); err != nil {
		t.Fatal(err)
	}
	<-running
	drained := make(chan error, 1)
	ctx := testContext(t)
	go func() { drained <- s.Drain(ctx) }()
	<-s.(*subscription).accepting.Done()
	close(finish)
	if err := receive(t, drained); err != nil {
		t.Error(err)
	}
	dead := received(t, b, deadLetterQueue(q))
	if id := receive(t, dead); id != "rejected" {
		t.Errorf("got %s", id)
	}
}

func TestOptions(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"no URL":             {Options{}, "no broker URL"},
		"not AMQP":           {Options{URLs: []string{"http://u:secret@host"}}, "not a valid amqp"},
		"broken":             {Options{URLs: []string{"amqp://u:secret@host", "amqp://u:secret @host"}}, "broker URL 2 of 2"},
		"heartbeat in a URL": {Options{URLs: []string{"amqp://host/?heartbeat=10"}}, "sets a heartbeat"},
		"mechanism in a URL": {Options{URLs: []string{"amqps://u:secret@host/?auth_mechanism=external"}}, "sets auth_mechanism"},
		"short heartbeat":    {Options{URLs: []string{"amqp://host"}, Heartbeat: time.Millisecond}, "below the second"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("a password in %v", err)
			}
		})
	}
}

// Pauses grow to a cap that they never exceed, and differ between clients that lost the same broker.
func TestBackOff(t *testing.T) {
	a, b := newBackOff(), newBackOff()
	differ := 0
	for i := range 1000 {
		pause, other := a.NextBackOff(), b.NextBackOff()
		if i == 0 && (pause < firstRedial/2 || pause > 2*firstRedial) {
			t.Errorf("the first pause is %s", pause)
		}
		if i > 10 && pause < lastRedial/4 {
			t.Errorf("pause %d is %s", i, pause)
		}
		if pause > lastRedial {
			t.Errorf("pause %d is %s, more than %s", i, pause, lastRedial)
		}
		if pause != other {
			differ++
		}
	}
	if differ < 900 {
		t.Errorf("two clients pause alike %d times of 1000", 1000-differ)
	}
}
