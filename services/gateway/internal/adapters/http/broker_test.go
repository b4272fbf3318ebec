package http

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"go.opentelemetry.io/otel/trace/noop"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/service/servicetest"
)

// delivery is a message that a service got, and the queue that it came from.
type delivery struct {
	queue   string
	message messaging.Message
}

// brokerFixture is a server whose calls go over a broker to services that keep what they get, as it is on the wire.
type brokerFixture struct {
	*Server
	broker *servicetest.Recorder
	reply  atomic.Pointer[messaging.Message] // to all requests, but for its correlation id

	mu         sync.Mutex
	deliveries []delivery
}

// newBrokerFixture returns a server with the routes of things, which is stopped when the test ends.
func newBrokerFixture(t testing.TB, o settings) *brokerFixture {
	t.Helper()
	server := inmem.NewServer()
	services := server.ConnectAs("services")
	f := &brokerFixture{broker: servicetest.Record(server.ConnectAs("gateway"))}
	f.reply.Store(&messaging.Message{Body: []byte(`{}`)})
	client := rpc.NewClient(f.broker, rpc.ClientOptions{Name: "gateway", Logger: slog.New(slog.DiscardHandler)})
	var err error
	f.Server, err = newServer(things, o.Config, o.callTimeout, client, &authenticator{identity: user},
		slog.New(slog.DiscardHandler), prometheus.NewPedanticRegistry(), noop.NewTracerProvider())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for name, stop := range map[string]func(context.Context) error{"client": client.Close, "services": services.Close} {
			if err := stop(ctx); err != nil {
				t.Errorf("stop the %s: %v", name, err)
			}
		}
	})
	for _, queue := range queuesOf(routeTable(t, things)) {
		f.serve(t, services, queue)
	}
	return f
}

func queuesOf(routes []Route) []string {
	queues := make([]string, 0, len(routes))
	for _, r := range routes {
		queues = append(queues, r.Queue)
	}
	return queues
}

// serve replies to the requests of a queue.
func (f *brokerFixture) serve(t testing.TB, b messaging.Broker, queue string) {
	t.Helper()
	handler := func(ctx context.Context, m messaging.Message) error {
		f.mu.Lock()
		f.deliveries = append(f.deliveries, delivery{queue, m})
		f.mu.Unlock()
		reply := *f.reply.Load()
		reply.CorrelationID = m.CorrelationID
		return b.Send(ctx, m.ReplyTo, reply)
	}
	if _, err := b.Subscribe(t.Context(), messaging.Queue{Name: queue, Durable: true}, handler); err != nil {
		t.Fatal(err)
	}
}

// delivered returns what the services got since it was last called: nil, or the first message. A service keeps it before it
// replies.
func (f *brokerFixture) delivered() *delivery {
	f.mu.Lock()
	defer f.mu.Unlock()
	deliveries := f.deliveries
	f.deliveries = nil
	if len(deliveries) == 0 {
		return nil
	}
	return &deliveries[0]
}
