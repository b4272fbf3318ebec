package messagingtest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
)

// Browse returns a new browser of the broker that Connect connects to, and closes it when the test ends.
type Browse func(t *testing.T) deadletter.Browser

// RunBrowser runs the contract of deadletter.Browser.
func RunBrowser(t *testing.T, connect Connect, browse Browse, options Options) {
	for name, run := range map[string]func(*browserTester){
		"ChangesNothing": testBrowserChangesNothing,
		"Removes":        testBrowserRemoves,
		"Bound":          testBrowserBound,
		"Withholds":      testBrowserWithholds,
		"Cancelled":      testBrowserCancelled,
		"Disconnects":    testBrowserDisconnects,
		"BesideOthers":   testBrowserBesideOthers,
		"NoQueue":        testBrowserNoQueue,
		"Exclusive":      testBrowserExclusive,
		"Publish":        testBrowserPublish,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			b := &browserTester{tester: &tester{T: t, ctx: ctx, dial: connect, options: options}, browse: browse}
			b.queue = b.newQueue()
			b.broker = b.connect()
			b.ensure(b.broker, b.queue)
			run(b)
		})
	}
}

// browserTester is one test with its own queue.
type browserTester struct {
	*tester
	browse Browse
	broker messaging.Broker
	queue  messaging.Queue
}

// fill publishes n messages whose bodies are their numbers.
func (t *browserTester) fill(n int) {
	t.Helper()
	t.publish(t.broker, t.queue, numbers(n)...)
}

// open returns a cursor on want messages. A quorum queue takes a moment to put back what another cursor has shown.
func (t *browserTester) open(b deadletter.Browser, want int) deadletter.Cursor {
	t.Helper()
	var cursor deadletter.Cursor
	awaittest.Until(t, fmt.Sprintf("%d messages in the queue", want), func() bool {
		var err error
		if cursor, err = b.Open(t.ctx, t.queue.Name); err != nil {
			t.Fatalf("Open: %v", err)
		}
		if cursor.Left() == want {
			return true
		}
		t.close(cursor)
		return false
	})
	return cursor
}

func (t *browserTester) close(cursor deadletter.Cursor) {
	t.Helper()
	if err := cursor.Close(t.ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// remove removes the current message.
func (t *browserTester) remove(cursor deadletter.Cursor) {
	t.Helper()
	if err := cursor.Remove(); err != nil {
		t.Fatalf("Remove: %v", err)
	}
}

// wantFirst fails the test unless the queue holds n messages of which these are the first.
func (t *browserTester) wantFirst(b deadletter.Browser, n int, want ...string) {
	t.Helper()
	cursor := t.open(b, n)
	defer t.close(cursor)
	var got []string
	for len(got) < len(want) && cursor.Next(t.ctx) {
		got = append(got, string(cursor.Message().Body))
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the first %d messages (-want +got):\n%s", len(want), diff)
	}
}

// testBrowserChangesNothing opens cursors that stop early, at the end of what an adapter reads ahead, and at the end.
func testBrowserChangesNothing(t *browserTester) {
	const n = 420
	t.fill(n)
	b, all := t.browse(t.T), numbers(n)
	for _, limit := range []int{3, 200, n, 10, 0, 1, 201, 12, n, n} {
		t.wantFirst(b, n, all[:limit]...)
	}
}

func testBrowserRemoves(t *browserTester) {
	const n = 10
	t.fill(n)
	b, all := t.browse(t.T), numbers(n)
	t.wantFirst(b, n, all[:8]...)
	cursor := t.open(b, n)
	for cursor.Next(t.ctx) {
		text := string(cursor.Message().Body)
		if text == "2" || text == "5" {
			t.remove(cursor)
		}
		if text == "5" {
			break
		}
	}
	t.close(cursor)
	t.wantFirst(b, n-2, slices.Concat(all[:2], all[3:5], all[6:])...)
}

// testBrowserBound publishes during the iteration. The cursor leaves these messages to the next one.
func testBrowserBound(t *browserTester) {
	const n = 5
	t.fill(n)
	b := t.browse(t.T)
	cursor, seen := t.open(b, n), 0
	for ; cursor.Next(t.ctx); seen++ {
		if err := b.Publish(t.ctx, t.queue.Name, cursor.Message()); err != nil {
			t.Fatalf("Publish: %v", err)
		}
		t.remove(cursor)
	}
	t.close(cursor)
	if seen != n {
		t.Errorf("%d messages seen of %d", seen, n)
	}
	t.wantFirst(b, n, numbers(n)...)
}

// testBrowserWithholds shows a message, which no consumer gets until the cursor is closed.
func testBrowserWithholds(t *browserTester) {
	t.fill(1)
	cursor := t.open(t.browse(t.T), 1)
	if !cursor.Next(t.ctx) {
		t.Fatalf("no message: %v", cursor.Close(t.ctx))
	}
	received := newInbox()
	t.subscribe(t.broker, t.queue, received.handle)
	t.publish(t.broker, t.queue, "marker")
	t.expect(received, "marker")
	t.close(cursor)
	t.expect(received, "0")
}

// testBrowserCancelled ends the context. What was removed before is gone, everything else is there.
func testBrowserCancelled(t *browserTester) {
	const n = 5
	t.fill(n)
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	b := t.browse(t.T)
	cursor := t.open(b, n)
	cursor.Next(ctx)
	t.remove(cursor)
	cursor.Next(ctx)
	cancel()
	for cursor.Next(ctx) {
		continue
	}
	t.wantError("Close", cursor.Close(ctx), context.Canceled)
	b.Close()
	t.wantFirst(t.browse(t.T), n-1, numbers(n)[1:]...)
}

// testBrowserDisconnects closes the browser without its cursor. What the cursor has shown is in the queue again.
func testBrowserDisconnects(t *browserTester) {
	const n = 5
	t.fill(n)
	b := t.browse(t.T)
	cursor := t.open(b, n)
	for range 3 {
		cursor.Next(t.ctx)
	}
	b.Close()
	t.wantFirst(t.browse(t.T), n, numbers(n)...)
}

// testBrowserBesideOthers has two cursors and a consumer share a queue. Each message is removed once.
func testBrowserBesideOthers(t *browserTester) {
	const n = 60
	t.fill(n)
	first, second := t.open(t.browse(t.T), n), t.open(t.browse(t.T), n)
	received := newInbox()
	t.subscribe(t.connect(), t.queue, received.handle)
	var removed []string
	for _, cursor := range []deadletter.Cursor{first, second} {
		for len(removed) < n && cursor.Next(t.ctx) {
			removed = append(removed, string(cursor.Message().Body))
			t.remove(cursor)
		}
		t.close(cursor)
	}
	for len(removed) < n {
		m := awaittest.Receive(t, received, "the messages that no cursor has removed")
		removed = append(removed, string(m.Body))
	}
	slices.Sort(removed)
	if got := len(slices.Compact(removed)); got != n {
		t.Errorf("%d of %d messages seen, and others twice", got, n)
	}
}

func testBrowserNoQueue(t *browserTester) {
	_, err := t.browse(t.T).Open(t.ctx, t.newQueue().Name)
	t.wantError("Open", err, deadletter.ErrNoQueue)
	t.wantFirst(t.browse(t.T), 0)
}

// testBrowserExclusive has messages in a queue whose exclusive consumer takes no more.
func testBrowserExclusive(t *browserTester) {
	t.queue = t.newClassicQueue()
	t.ensure(t.broker, t.queue)
	t.fill(3)
	handlers, started := make(gate), make(chan struct{}, 3)
	defer handlers.open()
	t.subscribe(t.broker, t.queue, func(ctx context.Context, _ messaging.Message) error {
		started <- struct{}{}
		return handlers.pass(ctx)
	}, messaging.WithExclusive(), messaging.WithPrefetch(1))
	awaittest.Receive(t, started, "the consumer")
	cursor := t.open(t.browse(t.T), 2)
	if cursor.Next(t.ctx) {
		t.Error("a message came from a queue in exclusive use")
	}
	t.wantError("Close", cursor.Close(t.ctx), messaging.ErrQueueInUse)
}

func testBrowserPublish(t *browserTester) {
	b := t.browse(t.T)
	t.wantError("Publish to a missing queue", b.Publish(t.ctx, t.newQueue().Name, newMessage("")), messaging.ErrUnroutable)
	reserved := messaging.Message{Headers: map[string]any{"CC": []any{"other"}}}
	t.wantError("Publish of a reserved header", b.Publish(t.ctx, t.queue.Name, reserved), messaging.ErrInvalidMessage)
	m := deadletter.Mark(newMessage("dead"), "orders.create", deadletter.ReasonRejected, time.Now())
	if err := b.Publish(t.ctx, t.queue.Name, m); err != nil {
		t.Fatalf("Publish: %v", err)
	}
	t.wantFirst(b, 1, "dead")
}
