package rabbitmq

import (
	"sync"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

// TestManyConfirms has so many publishers that confirms arrive while others begin. Each must receive its confirm.
func TestManyConfirms(t *testing.T) { publishFromMany(t, 20) }

func TestLongManyConfirms(t *testing.T) { publishFromMany(t, 150) }

func publishFromMany(t *testing.T, messages int) {
	t.Helper()
	b := newTestBroker(t, Options{})
	classic, quorum := testQueue(t), testQueue(t)
	quorum.Name += ".quorum"
	quorum.Type = messaging.Quorum
	for _, q := range []messaging.Queue{classic, quorum} {
		if err := b.Ensure(awaittest.Context(t), q); err != nil {
			t.Fatal(err)
		}
	}
	const publishers = 500
	ctx := awaittest.Context(t)
	var wg sync.WaitGroup
	for i := range publishers {
		q := classic
		if i%20 == 0 {
			q = quorum // its confirms come later, so those of one channel come out of order
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
