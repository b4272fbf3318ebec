package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/service"
)

// testTimeout bounds what a test waits for.
const testTimeout = 10 * time.Second

// instance is a service that runs in the test.
type instance struct {
	t       *testing.T
	log     *log
	started chan service.Info
	cancel  context.CancelFunc
	result  chan error
}

// launch runs s with an admin listener on any port. It is stopped at the end of the test if it still runs.
func launch(t *testing.T, s service.Service, broker messaging.Broker, args ...string) *instance {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	i := &instance{
		t: t, log: newLog(), started: make(chan service.Info, 1), cancel: cancel, result: make(chan error, 1),
	}
	args = append([]string{"--admin-addr=127.0.0.1:0"}, args...)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		i.result <- service.Run(ctx, s, args, service.WithBroker(broker), service.WithOutput(io.Discard, i.log),
			service.WithReady(func(info service.Info) { i.started <- info }))
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(testTimeout):
			t.Error("the service does not stop")
		}
	})
	return i
}

// awaitStart returns the address of the admin listener once the service has started.
func (i *instance) awaitStart() string {
	i.t.Helper()
	select {
	case info := <-i.started:
		return info.AdminAddr
	case err := <-i.result:
		i.t.Fatalf("the service ended: %v\n%s", err, i.log)
	case <-time.After(testTimeout):
		i.t.Fatalf("the service does not start\n%s", i.log)
	}
	return ""
}

// stop tells the service to stop and returns what Run returned.
func (i *instance) stop() error {
	i.t.Helper()
	i.cancel()
	return i.await()
}

func (i *instance) await() error {
	i.t.Helper()
	select {
	case err := <-i.result:
		return err
	case <-time.After(testTimeout):
		i.t.Fatalf("the service does not stop\n%s", i.log)
		return nil
	}
}

// log is an output whose entries can be waited for.
type log struct {
	mu      sync.Mutex
	lines   []string
	changed chan struct{} // closed at the next write
}

func newLog() *log { return &log{changed: make(chan struct{})} }

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(string(p)) {
		l.lines = append(l.lines, strings.TrimSpace(line))
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return len(p), nil
}

func (l *log) String() string {
	lines, _ := l.snapshot()
	return strings.Join(lines, "\n")
}

func (l *log) snapshot() ([]string, chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines), l.changed
}

// entries returns the JSON entries with the message.
func (l *log) entries(message string) []map[string]any {
	lines, _ := l.snapshot()
	var found []map[string]any
	for _, line := range lines {
		entry := map[string]any{}
		if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

// await returns the first entry with the message.
func (l *log) await(t *testing.T, message string) map[string]any {
	t.Helper()
	timeout := time.After(testTimeout)
	for {
		_, changed := l.snapshot()
		if found := l.entries(message); len(found) > 0 {
			return found[0]
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("no log entry %q\n%s", message, l)
		}
	}
}

var client = &http.Client{
	Timeout:   testTimeout,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// get returns the status and the body of an admin page.
func get(t *testing.T, addr, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(bufio.NewReader(response.Body))
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(body))
}

// events records what happens, in order.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(event string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

func (e *events) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// recordingBroker records subscriptions, their drains, and the close.
type recordingBroker struct {
	messaging.Broker
	events  *events
	onClose func()
}

func (b recordingBroker) Subscribe(ctx context.Context, q messaging.Queue, h messaging.Handler,
	options ...messaging.SubscribeOption) (messaging.Subscription, error) {
	s, err := b.Broker.Subscribe(ctx, q, h, options...)
	if err != nil {
		return nil, err
	}
	b.events.add("consume " + q.Name)
	return recordingSubscription{s, b.events, q.Name}, nil
}

func (b recordingBroker) Close(ctx context.Context) error {
	b.events.add("close broker")
	if b.onClose != nil {
		b.onClose()
	}
	return b.Broker.Close(ctx)
}

type recordingSubscription struct {
	messaging.Subscription
	events *events
	queue  string
}

func (s recordingSubscription) Drain(ctx context.Context) error {
	s.events.add("drain " + s.queue)
	return s.Subscription.Drain(ctx)
}
