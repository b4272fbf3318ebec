package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// startCluster starts three nodes that one test may break. It takes about 10 s.
func startCluster(t *testing.T) *rabbitmqtest.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cluster, err := rabbitmqtest.StartCluster(ctx, 3, rabbitmqtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

// leader returns the node that leads a quorum queue.
func leader(t *testing.T, cluster *rabbitmqtest.Cluster, queue string) *rabbitmqtest.Node {
	t.Helper()
	out := ctl(t, cluster.Nodes[0], "list_queues", "--no-table-headers", "name", "leader")
	for line := range strings.Lines(out) {
		name, leader, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for _, node := range cluster.Nodes {
			if name == queue && node.Name() == leader {
				return node
			}
		}
	}
	t.Fatalf("no node leads %s:\n%s", queue, out)
	return nil
}

// TestLongClusterLosesLeader kills the node that leads a quorum queue under load. The broker must continue on another node, and
// confirmed messages must arrive. A message sent on a new channel before there is a new leader, which the nodes refuse, must
// arrive too.
func TestLongClusterLosesLeader(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t)
	b := newTestBroker(t, Options{URLs: cluster.URLs(), ConfirmSends: true})
	q := testQueue(t)
	q.Type = messaging.Quorum
	var received sync.Map
	_, err := b.Subscribe(awaittest.Context(t), q, func(_ context.Context, m messaging.Message) error {
		received.Store(m.ID, nil)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	var losses atomic.Int32
	defer b.OnLoss(func() { losses.Add(1) })()
	load := publishAlways(b, q.Name)
	defer load.stop()
	const enough = 200
	load.await(t, enough)
	killed := leader(t, cluster, q.Name)
	fresh := newTestBroker(t, Options{URLs: others(cluster, killed).URLs(), ConfirmSends: true})
	killed.Kill()
	began := time.Now()
	if err := fresh.Send(awaittest.Context(t), q.Name, messaging.Message{ID: "refused"}); err != nil {
		t.Fatal(err)
	}
	load.await(t, load.confirmed.Load()+enough)
	t.Logf("%d confirmed after %s", enough, time.Since(began))
	if now := leader(t, others(cluster, killed), q.Name); now == killed {
		t.Errorf("the dead node %s still leads", now.Name())
	}

	confirmed, failed := load.stop()
	t.Logf("%d publishes confirmed, %d failed", len(confirmed), failed)
	hasAll := func(ids []string) func() bool {
		return func() bool {
			return !slices.ContainsFunc(ids, func(id string) bool {
				_, ok := received.Load(id)
				return !ok
			})
		}
	}
	awaittest.Until(t, "all that was confirmed", hasAll(confirmed))
	awaittest.Until(t, "what was refused", hasAll([]string{"refused"}))
	awaittest.Until(t, "ready", func() bool { return b.Ready() == nil })

	// The channel for sends was in use all the time, and must work again.
	t.Logf("%d losses reported", losses.Load())
	var sent []string
	for i := range enough {
		id := fmt.Sprint("sent ", i)
		if err := b.Send(awaittest.Context(t), q.Name, messaging.Message{ID: id}); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, id)
	}
	awaittest.Until(t, "all that was sent", hasAll(sent))
}

// others returns the cluster without one node.
func others(cluster *rabbitmqtest.Cluster, without *rabbitmqtest.Node) *rabbitmqtest.Cluster {
	nodes := slices.DeleteFunc(slices.Clone(cluster.Nodes), func(n *rabbitmqtest.Node) bool { return n == without })
	return &rabbitmqtest.Cluster{Nodes: nodes}
}

// load publishes messages with unique IDs and waits for the confirm of each, until it is stopped.
type load struct {
	confirmed atomic.Int64
	cancel    context.CancelFunc
	running   sync.WaitGroup

	mu     sync.Mutex
	ids    []string // of the confirmed messages
	failed int
}

func publishAlways(b *Broker, queue string) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel}
	for publisher := range 8 {
		l.running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("%d-%d", publisher, i)
				err := b.Publish(ctx, queue, messaging.Message{ID: id, Persistent: true})
				l.count(id, err)
				_ = b.Send(ctx, queue, messaging.Message{ID: "unconfirmed " + id})
				if err != nil {
					sleep(ctx, 10*time.Millisecond)
				}
			}
		})
	}
	return l
}

func (l *load) count(id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed++
		return
	}
	l.ids = append(l.ids, id)
	l.confirmed.Add(1)
}

// await returns once n messages are confirmed.
func (l *load) await(t *testing.T, n int64) {
	t.Helper()
	awaittest.Until(t, fmt.Sprintf("%d confirms", n), func() bool { return l.confirmed.Load() >= n })
}

// stop returns the IDs of the confirmed messages and the number of the others.
func (l *load) stop() (confirmed []string, failed int) {
	l.cancel()
	l.running.Wait()
	return l.ids, l.failed
}

// TestLongClusterLosesHomeNode kills the node that holds a classic queue and to which the exclusive consumer of a quorum queue
// is connected. The classic queue is unavailable until the node is back. The exclusive consumer moves to another node, where it
// still keeps others out.
func TestLongClusterLosesHomeNode(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t)
	urls := cluster.URLs()
	b := newTestBroker(t, Options{URLs: urls})
	other := newTestBroker(t, Options{URLs: urls[1:]})
	ctx := awaittest.Context(t)
	classic, callback := testQueue(t), testQueue(t)
	callback.Type = messaging.Quorum
	for _, b := range []*Broker{b, other} {
		if err := b.Ensure(ctx, classic); err != nil {
			t.Fatal(err)
		}
	}
	got, lost := make(chan string, 10), make(chan struct{})
	subscribe := func(b *Broker) error {
		_, err := b.Subscribe(awaittest.Context(t), callback, func(_ context.Context, m messaging.Message) error {
			got <- m.ID
			if m.ID == "held" {
				<-lost
			}
			return nil
		}, messaging.WithExclusive())
		return err
	}
	wantRefused := func(when string) {
		t.Helper()
		if err := subscribe(other); !errors.Is(err, messaging.ErrQueueInUse) {
			t.Errorf("a second exclusive consumer %s: %v, want ErrQueueInUse", when, err)
		}
	}
	if err := subscribe(b); err != nil {
		t.Fatal(err)
	}
	wantRefused("at first")

	if err := b.Publish(ctx, callback.Name, messaging.Message{ID: "held"}); err != nil {
		t.Fatal(err)
	}
	receive(t, got)
	killed := cluster.Nodes[0]
	killed.Kill()
	awaittest.Until(t, "the loss", func() bool { return b.Ready() != nil })
	began := time.Now()
	close(lost)
	awaittest.Success(t, "ready on another node", func(context.Context) error { return b.Ready() })
	t.Logf("ready after %s", time.Since(began))
	wantRefused("after the takeover")
	awaittest.Success(t, "a publish", func(ctx context.Context) error {
		return b.Publish(ctx, callback.Name, messaging.Message{ID: "after the loss"})
	})
	for missing := map[string]bool{"held": true, "after the loss": true}; len(missing) > 0; {
		id := receive(t, got)
		t.Logf("received %q after %s", id, time.Since(began))
		delete(missing, id)
	}

	if err := other.Ensure(ctx, classic); err != nil {
		t.Errorf("ensure a known queue, connected to another node: %v, want nil", err)
	}
	for range 2 {
		for _, b := range []*Broker{b, other} {
			b.Forget(classic.Name)
			if err := b.Ensure(ctx, classic); !errors.Is(err, messaging.ErrUnavailable) || !strings.Contains(err.Error(), classic.Name) {
				t.Errorf("ensure a queue whose node is away: %v, want ErrUnavailable", err)
			}
		}
	}
	if err := killed.Restart(context.Background()); err != nil {
		t.Fatal(err)
	}
	awaittest.Until(t, "the classic queue", func() bool { return other.Ensure(awaittest.Context(t), classic) == nil })
	wantRefused("after the node is back")
	if err := b.Close(awaittest.Context(t)); err != nil {
		t.Fatal(err)
	}
	awaittest.Until(t, "another exclusive consumer", func() bool { return subscribe(other) == nil })
}
