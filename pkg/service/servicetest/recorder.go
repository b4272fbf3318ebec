package servicetest

import (
	"context"
	"maps"
	"slices"
	"sync"

	"example.com/warren/pkg/messaging"
)

// Recorder is a broker that records what its user does with it.
type Recorder struct {
	messaging.Broker
	OnClose func() // called before the broker is closed; may be nil

	mu         sync.Mutex
	events     []string
	addressed  []string
	subscribed map[string]messaging.Queue
}

// Record returns a broker that passes every call to b.
func Record(b messaging.Broker) *Recorder {
	return &Recorder{Broker: b, subscribed: map[string]messaging.Queue{}}
}

// Note adds an event of the test itself to those that Events returns.
func (r *Recorder) Note(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

// Events returns what happened, in order: "consume orders.get", "drain orders.get", "close broker", and notes.
func (r *Recorder) Events() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// TakeAddressed returns the names of the queues that were declared or sent to since the previous call.
func (r *Recorder) TakeAddressed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := r.addressed
	r.addressed = nil
	return names
}

// Subscribed returns each queue that was subscribed to, by its name.
func (r *Recorder) Subscribed() map[string]messaging.Queue {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.subscribed)
}

func (r *Recorder) address(queue string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addressed = append(r.addressed, queue)
}

// Publish implements messaging.Broker.
func (r *Recorder) Publish(ctx context.Context, queue string, m messaging.Message) error {
	r.address(queue)
	return r.Broker.Publish(ctx, queue, m)
}

// Send implements messaging.Broker.
func (r *Recorder) Send(ctx context.Context, queue string, m messaging.Message) error {
	r.address(queue)
	return r.Broker.Send(ctx, queue, m)
}

// Ensure implements messaging.Broker.
func (r *Recorder) Ensure(ctx context.Context, q messaging.Queue) error {
	r.address(q.Name)
	return r.Broker.Ensure(ctx, q)
}

// Subscribe implements messaging.Broker.
func (r *Recorder) Subscribe(ctx context.Context, q messaging.Queue, h messaging.Handler,
	options ...messaging.SubscribeOption) (messaging.Subscription, error) {
	s, err := r.Broker.Subscribe(ctx, q, h, options...)
	if err != nil {
		return nil, err
	}
	r.Note("consume " + q.Name)
	r.mu.Lock()
	r.subscribed[q.Name] = q
	r.mu.Unlock()
	return recordedSubscription{s, r, q.Name}, nil
}

// Close implements messaging.Broker.
func (r *Recorder) Close(ctx context.Context) error {
	r.Note("close broker")
	if r.OnClose != nil {
		r.OnClose()
	}
	return r.Broker.Close(ctx)
}

type recordedSubscription struct {
	messaging.Subscription
	recorder *Recorder
	queue    string
}

func (s recordedSubscription) Drain(ctx context.Context) error {
	s.recorder.Note("drain " + s.queue)
	return s.Subscription.Drain(ctx)
}
