package service

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
)

// inspectTimeout bounds a look at all queues of a service. Prometheus waits 10 s by default.
const inspectTimeout = 2 * time.Second

// measuredBroker is the service's broker. It looks at the queues that the service consumes whenever metrics are collected.
type measuredBroker struct {
	messaging.Broker
	setAside                          *prometheus.CounterVec
	messages, consumers, deadMessages *prometheus.Desc

	mu     sync.Mutex // guards queues
	queues map[string]messaging.Queue
}

// measureBroker returns b with the metrics of its state.
func (m *metrics) measureBroker(b messaging.Broker) messaging.Broker {
	m.gauge("messaging_connected", "1 while messages can be sent and received, 0 otherwise.", func() float64 {
		if b.Ready() != nil {
			return 0
		}
		return 1
	})
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help+" Missing while the broker is away.", []string{queueLabel}, nil)
	}
	measured := &measuredBroker{
		Broker:       b,
		setAside:     m.setAside,
		messages:     describe("messaging_queue_messages", "Messages that wait in a queue of the service."),
		consumers:    describe("messaging_queue_consumers", "Consumers of a queue of the service, in all its replicas."),
		deadMessages: describe("messaging_dead_letter_messages", "Messages in a dead-letter queue of the service."),
		queues:       map[string]messaging.Queue{},
	}
	m.registry.MustRegister(measured)
	return measured
}

// Subscribe implements messaging.Broker.
func (b *measuredBroker) Subscribe(ctx context.Context, q messaging.Queue, h messaging.Handler,
	options ...messaging.SubscribeOption,
) (messaging.Subscription, error) {
	s, err := b.Broker.Subscribe(ctx, q, h, options...)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.queues[q.Name] = q
	b.mu.Unlock()
	// A counter that is there from the start has a rate as soon as it rises.
	for _, reason := range []string{deadletter.ReasonRejected, deadletter.ReasonDeliveryLimit, deadletter.ReasonUndecodable} {
		b.setAside.WithLabelValues(q.Name, reason)
	}
	return s, nil
}

// Describe implements prometheus.Collector.
func (b *measuredBroker) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{b.messages, b.consumers, b.deadMessages} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (b *measuredBroker) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), inspectTimeout)
	defer cancel()
	b.mu.Lock()
	queues := slices.Collect(maps.Values(b.queues))
	b.mu.Unlock()
	gauge := func(d *prometheus.Desc, value int, queue string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), queue)
	}
	deadLetters := map[string]bool{} // several queues may share one
	for _, q := range queues {
		if messages, consumers, err := b.Inspect(ctx, q.Name); err == nil {
			gauge(b.messages, messages, q.Name)
			gauge(b.consumers, consumers, q.Name)
		}
		if q.DeadLetter != "" {
			deadLetters[q.DeadLetter] = true
		}
	}
	for queue := range deadLetters {
		// An adapter may declare the dead-letter queue with its first message.
		if messages, _, err := b.Inspect(ctx, queue); err == nil || errors.Is(err, messaging.ErrUnroutable) {
			gauge(b.deadMessages, messages, queue)
		}
	}
}
