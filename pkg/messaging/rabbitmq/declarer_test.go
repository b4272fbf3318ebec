package rabbitmq

import (
	"errors"
	"testing"
	"time"

	"example.com/warren/pkg/messaging"
)

// TestEnsureTakesOtherArgumentsAsExisting checks that a queue with other settings is used as it is.
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
		t.Fatalf("the second Ensure declared again: publish returned %v, want ErrUnroutable", err)
	}
	// The return showed that the queue does not exist.
	if err := b.Ensure(testContext(t), q); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(testContext(t), q.Name, messaging.Message{}); err != nil {
		t.Errorf("publish to the queue that was declared again: %v", err)
	}
}
