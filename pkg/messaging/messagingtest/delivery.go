package messagingtest

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

// numbers returns the texts "0", "1", … up to n-1.
func numbers(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = strconv.Itoa(i)
	}
	return texts
}

func testOrder(t *tester) {
	b, q, received := t.connect(), t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	texts := numbers(300)
	t.publish(b, q, texts...)
	t.expect(received, texts...)
	for _, text := range texts {
		if err := b.Send(t.ctx, q.Name, newMessage(text)); err != nil {
			t.Fatalf("Send: %v", err)
		}
	}
	t.expect(received, texts...)
}

func testCompetingConsumers(t *tester) {
	one := t.connect()
	for name, consumers := range map[string][2]messaging.Broker{
		"one connection":  {one, one},
		"two connections": {t.connect(), t.connect()},
	} {
		q, received := t.newQueue(), newInbox()
		var both sync.WaitGroup
		both.Add(2)
		bothHandle := make(gate)
		go func() {
			both.Wait()
			bothHandle.open()
		}()
		for _, b := range consumers {
			var first sync.Once
			t.subscribe(b, q, func(ctx context.Context, m messaging.Message) error {
				first.Do(both.Done)
				if err := bothHandle.pass(ctx); err != nil {
					return err
				}
				return received.handle(ctx, m)
			}, messaging.WithPrefetch(1))
		}
		texts := numbers(100)
		t.publish(consumers[0], q, texts...)
		t.expectEachOnce(received, texts)
		if t.Failed() {
			t.Logf("with two consumers on %s", name)
		}
	}
}

// expectEachOnce fails the test unless the next messages have these texts, in any order.
func (t *tester) expectEachOnce(i inbox, want []string) {
	t.Helper()
	count := map[string]int{}
	for range want {
		count[string(awaittest.Receive(t, i, "messages").Body)]++
	}
	wantCount := map[string]int{}
	for _, text := range want {
		wantCount[text]++
	}
	if diff := cmp.Diff(wantCount, count); diff != "" {
		t.Fatalf("how often each message came (-want +got):\n%s", diff)
	}
}

// testPrefetch has one consumer hold as many messages as its prefetch allows, while another gets the rest.
func testPrefetch(t *tester) {
	const prefetch, all = 5, 20
	slow, quick, q := t.connect(), t.connect(), t.newQueue()
	held, rest, release := newInbox(), newInbox(), make(gate)
	t.subscribe(slow, q, func(ctx context.Context, m messaging.Message) error {
		if err := release.pass(ctx); err != nil {
			return err
		}
		return held.handle(ctx, m)
	}, messaging.WithPrefetch(prefetch), messaging.WithConcurrency(2))
	texts := numbers(all)
	t.publish(quick, q, texts...)

	t.subscribe(quick, q, rest.handle)
	t.expect(rest, texts[prefetch:]...)
	t.publish(quick, q, "marker")
	t.expect(rest, "marker") // and no other: the slow one holds its share
	release.open()
	t.expectEachOnce(held, texts[:prefetch])
}

func testConcurrency(t *tester) {
	for _, concurrency := range []int{1, 4} {
		b, q, received := t.connect(), t.newQueue(), newInbox()
		started, release := make(chan struct{}, 2*loadMessages), make(gate)
		var running, most atomic.Int64
		t.subscribe(b, q, func(ctx context.Context, m messaging.Message) error {
			raise(&most, running.Add(1))
			defer running.Add(-1)
			started <- struct{}{}
			if err := release.pass(ctx); err != nil {
				return err
			}
			return received.handle(ctx, m)
		}, messaging.WithConcurrency(concurrency), messaging.WithPrefetch(10*concurrency))

		texts := numbers(20 * concurrency)
		t.publish(b, q, texts...)
		for range concurrency {
			awaittest.Receive(t, started, "as many handlers as may run")
		}
		t.roundTrip(b)
		release.open()
		t.expectEachOnce(received, texts)
		if got := most.Load(); got != int64(concurrency) {
			t.Errorf("%d handlers ran at once with a concurrency of %d", got, concurrency)
		}
	}
}

// raise sets most to the larger of most and n.
func raise(most *atomic.Int64, n int64) {
	for old := most.Load(); n > old; old = most.Load() {
		if most.CompareAndSwap(old, n) {
			return
		}
	}
}

// testSubscribeContextEnds cancels the context of Subscribe, which bounds the call and not the subscription.
func testSubscribeContextEnds(t *tester) {
	b, q, received := t.connect(), t.newQueue(), newInbox()
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	_, err := b.Subscribe(ctx, q, func(ctx context.Context, m messaging.Message) error {
		if err := ctx.Err(); err != nil {
			t.Errorf("the handler's context has ended: %v", err)
		}
		return received.handle(ctx, m)
	})
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	cancel()
	t.publish(b, q, "one", "two")
	t.expect(received, "one", "two")
}

// testAwait checks that messages arrive when Await says so, also after an interruption.
func testAwait(t *tester) {
	b, other, q, received := t.connect(), t.connect(), t.newQueue(), newInbox()
	s := t.subscribe(b, q, received.handle)
	for _, text := range numbers(3) {
		awaittest.Success(t, "deliveries", s.Await)
		t.publish(other, q, text)
		t.awaitText(received, text)
		awaittest.Until(t, "the broker to be ready", func() bool { return b.Ready() == nil })
		t.options.Interrupt(t.T, b)
	}
}
