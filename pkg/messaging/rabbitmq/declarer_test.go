package rabbitmq

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

// TestEnsureTakesOtherArgumentsAsExisting checks that a queue with other settings is used as it is.
func TestEnsureTakesOtherArgumentsAsExisting(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
	other := newTestBroker(t, Options{})
	q.Expiry = time.Hour
	for range 2 {
		if err := other.Ensure(awaittest.Context(t), q); err != nil {
			t.Errorf("ensure with another expiry: %v", err)
		}
	}
	if err := other.Publish(awaittest.Context(t), q.Name, messaging.Message{}); err != nil {
		t.Errorf("publish after the refusal: %v", err)
	}
}

func TestEnsureDeclaresOncePerConnection(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
	deleteQueue(t, b, q.Name)
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{}); !errors.Is(err, messaging.ErrUnroutable) {
		t.Fatalf("the second Ensure declared again: publish returned %v, want ErrUnroutable", err)
	}
	// The return showed that the queue does not exist.
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{}); err != nil {
		t.Errorf("publish to the queue that was declared again: %v", err)
	}
}

// TestForget has the next Ensure look at a queue that was there. A refusal stays remembered.
func TestForget(t *testing.T) {
	b := newTestBroker(t, Options{})
	q := testQueue(t)
	b.Forget(q.Name) // not known yet
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
	deleteQueue(t, b, q.Name)
	b.Forget(q.Name)
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{}); err != nil {
		t.Errorf("publish to the queue that was declared again: %v", err)
	}
	refusal := errors.New("its node is away")
	_, s := sessions(t, b)
	s.declarer.known.Store(q.Name, outcome{err: refusal, expiry: time.Now().Add(time.Hour)})
	b.Forget(q.Name)
	if err := b.Ensure(awaittest.Context(t), q); !errors.Is(err, refusal) {
		t.Errorf("ensure after a refusal: %v, want the refusal", err)
	}
}

// TestRefusedQueueDoesNotWait declares a queue that was refused before while another declaration takes long.
func TestRefusedQueueDoesNotWait(t *testing.T) {
	b := newTestBroker(t, Options{})
	q, refusal := testQueue(t), errors.New("its node is away")
	_, s := sessions(t, b)
	s.declarer.known.Store(q.Name, outcome{err: refusal, expiry: time.Now().Add(-time.Second)})
	s.declarer.mu.Lock()
	err := b.Ensure(awaittest.Context(t), q)
	s.declarer.mu.Unlock()
	if !errors.Is(err, refusal) {
		t.Errorf("ensure during another declaration: %v, want the refusal", err)
	}
	if err := b.Ensure(awaittest.Context(t), q); err != nil {
		t.Errorf("ensure afterwards: %v", err)
	}
}

// TestQueueLimit reaches the virtual host's limit of queues, which the broker reports with the code for other settings.
func TestQueueLimit(t *testing.T) {
	t.Parallel()
	node := lockFaultyNode(t)
	b := newTestBroker(t, Options{URLs: []string{node.URL()}})
	existing, dead := testQueue(t), testQueue(t)
	if err := b.Ensure(awaittest.Context(t), existing); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = node.Ctl(awaittest.Context(t), "clear_vhost_limits") }) // if the test has failed
	ctl(t, node, "set_vhost_limits", `{"max-queues": 0}`)

	const reason = "limit"
	if err := b.Ensure(awaittest.Context(t), dead); !errors.Is(err, messaging.ErrUnavailable) || !strings.Contains(err.Error(), reason) {
		t.Errorf("ensure at the limit: %v, want ErrUnavailable and %q", err, reason)
	}
	other := newTestBroker(t, Options{URLs: []string{node.URL()}})
	existing.Expiry = time.Hour
	if err := other.Ensure(awaittest.Context(t), existing); err != nil {
		t.Errorf("ensure an existing queue with another expiry: %v", err)
	}

	subscribed := make(chan error, 1)
	q, got := testQueue(t), make(chan string, 1)
	ctx := awaittest.Context(t)
	go func() {
		_, err := b.Subscribe(ctx, q, func(_ context.Context, m messaging.Message) error {
			got <- m.ID
			return nil
		})
		subscribed <- err
	}()
	awaittest.Until(t, "readiness to say why there is no consumer", func() bool {
		err := b.Ready()
		return errors.Is(err, messaging.ErrUnavailable) && strings.Contains(err.Error(), reason)
	})
	ctl(t, node, "clear_vhost_limits")
	if err := receive(t, subscribed); err != nil {
		t.Fatal(err)
	}
	awaittest.Until(t, "the queue", func() bool { return b.Ensure(ctx, dead) == nil })
	if err := b.Publish(ctx, q.Name, messaging.Message{ID: "after"}); err != nil {
		t.Fatal(err)
	}
	receive(t, got)
}
