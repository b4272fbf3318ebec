package messagingtest

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"example.com/warren/pkg/messaging"
)

const (
	loadMessages   = 10_000
	loadPublishers = 64
)

func testManyPublishers(t *tester) { t.testMany(messaging.Broker.Publish) }
func testManySenders(t *tester)    { t.testMany(messaging.Broker.Send) }

// testMany has many goroutines publish on one connection, and two connections consume.
func (t *tester) testMany(publish func(messaging.Broker, context.Context, string, messaging.Message) error) {
	b, other, q, received := t.connect(), t.connect(), t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle, messaging.WithConcurrency(8), messaging.WithPrefetch(200))
	t.subscribe(other, q, received.handle, messaging.WithConcurrency(8), messaging.WithPrefetch(200))
	texts := numbers(loadMessages)
	group, ctx := errgroup.WithContext(t.ctx)
	for publisher := range loadPublishers {
		group.Go(func() error {
			for i := publisher; i < len(texts); i += loadPublishers {
				if err := publish(b, ctx, q.Name, newMessage(texts[i])); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("publish: %v", err)
	}
	t.expectEachOnce(received, texts)
	t.publish(b, q, "marker")
	t.expect(received, "marker")
}

// testDeclareWhileSending declares, subscribes, publishes and sends on one connection at once.
func testDeclareWhileSending(t *tester) {
	const goroutines, rounds = 8, 10
	b, q, received := t.connect(), t.newQueue(), newInbox()
	t.subscribe(b, q, received.handle)
	var want []string
	group, ctx := errgroup.WithContext(t.ctx)
	for g := range goroutines {
		for round := range rounds {
			text := fmt.Sprintf("%d.%d", g, round)
			want = append(want, text+" sent", text+" published", text+" subscribed")
		}
		group.Go(func() error {
			for round := range rounds {
				text := fmt.Sprintf("%d.%d", g, round)
				if err := b.Send(ctx, q.Name, newMessage(text+" sent")); err != nil {
					return err
				}
				if err := b.Ensure(ctx, t.newQueue()); err != nil {
					return err
				}
				if err := b.Publish(ctx, q.Name, newMessage(text+" published")); err != nil {
					return err
				}
				if err := t.useNewQueue(ctx, b, received, text+" subscribed"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.expectEachOnce(received, want)
}

// useNewQueue sends the message through a new queue and returns when received has it.
func (t *tester) useNewQueue(ctx context.Context, b messaging.Broker, received inbox, text string) error {
	q, handled := t.newQueue(), make(chan struct{}, 1)
	s, err := b.Subscribe(ctx, q, func(ctx context.Context, m messaging.Message) error {
		handled <- struct{}{}
		return received.handle(ctx, m)
	})
	if err != nil {
		return err
	}
	if err := b.Send(ctx, q.Name, newMessage(text)); err != nil {
		return err
	}
	select {
	case <-handled:
		return s.Drain(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}
