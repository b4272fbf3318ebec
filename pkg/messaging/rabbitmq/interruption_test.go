package rabbitmq

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
)

// TestAwait lets the time pass in which a subscription has no consumer.
func TestAwait(t *testing.T) {
	refused := errors.New("its node is down")
	tests := map[string]struct {
		interrupted time.Duration // how long it was before Await; negative: not at all
		connected   time.Duration // how long the session was there before Await; negative: there is none
		over        time.Duration // when a consumer starts, after Await; 0: never
		want        error
		takes       time.Duration
	}{
		"live":                 {interrupted: -1},
		"over soon":            {connected: time.Hour, over: 200 * time.Millisecond, takes: 200 * time.Millisecond},
		"short so far":         {interrupted: 300 * time.Millisecond, connected: time.Hour, want: refused, takes: 700 * time.Millisecond},
		"long":                 {interrupted: time.Minute, connected: time.Hour, want: refused},
		"long, just connected": {interrupted: time.Minute, over: 200 * time.Millisecond, takes: 200 * time.Millisecond},
		"long, and connected":  {interrupted: time.Minute, connected: 600 * time.Millisecond, want: refused, takes: 400 * time.Millisecond},
		"not connected":        {interrupted: time.Millisecond, connected: -1, want: errLost},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				consuming := &connection{err: errLost}
				if test.connected >= 0 {
					consuming = &connection{current: &session{began: time.Now().Add(-test.connected)}}
				}
				s := &subscription{broker: &Broker{consuming: consuming}}
				if test.interrupted >= 0 {
					i := newInterruption()
					i.began = time.Now().Add(-test.interrupted)
					i.failure.Store(&refused)
					s.interrupted.Store(i)
					if test.over > 0 {
						time.AfterFunc(test.over, func() { close(i.over) })
					}
				}
				began := time.Now()
				if err := s.Await(t.Context()); !errors.Is(err, test.want) || err != nil && !errors.Is(err, messaging.ErrUnavailable) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if took := time.Since(began); took != test.takes {
					t.Errorf("took %s, want %s", took, test.takes)
				}
			})
		})
	}
}

// TestAwaitQueueAway deletes a queue that can't be declared again. Its subscription must say so until it can.
func TestAwaitQueueAway(t *testing.T) {
	t.Parallel()
	node := lockFaultyNode(t)
	b := newTestBroker(t, Options{URLs: []string{node.URL()}})
	q := testQueue(t)
	s, err := b.Subscribe(awaittest.Context(t), q, func(context.Context, messaging.Message) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Await(awaittest.Context(t)); err != nil {
		t.Errorf("at first: %v", err)
	}
	t.Cleanup(func() { _, _ = node.Ctl(awaittest.Context(t), "clear_vhost_limits") }) // if the test has failed
	ctl(t, node, "set_vhost_limits", `{"max-queues": 0}`)
	deleteQueue(t, b, q.Name)
	awaittest.Until(t, "the reason", func() bool {
		err := s.Await(awaittest.Context(t))
		return errors.Is(err, messaging.ErrUnavailable) && strings.Contains(err.Error(), "limit")
	})
	ctl(t, node, "clear_vhost_limits")
	awaittest.Success(t, "a consumer", s.Await)
}
