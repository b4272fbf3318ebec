package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/test/internal/system"
)

const callbackQueue = "gateway.rpc.response"

// TestLongClusterLosesNodes runs the system on a cluster of three nodes with replicated queues, by configuration alone, and
// repeatedly kills the node that matters most: in turns the one that the services are connected to, which at first leads all
// queues, and the one that leads a request queue.
func TestLongClusterLosesNodes(t *testing.T) {
	c := startCluster(t)
	s := c.suite().StartSystem(t, limitSetting, "RPC_QUEUE_TYPE=quorum", "RPC_CALLBACK_QUEUE_TYPE=quorum")
	l := startLoad(t, s.API.Login(t, "demo"))
	times := size(1, 6)
	for i := range times {
		connected, leader := c.connected(t), c.leader(t, createQueue)
		victim := connected
		if i%2 == 1 {
			victim = leader
		}
		t.Logf("kill %s: services are connected to it %t, it leads %t", victim.Name(), victim == connected, victim == leader)
		if first := c.Nodes[0]; i == 0 && (connected != first || leader != first) {
			t.Errorf("connected to %s, %s leads; want %s for both", connected.Name(), leader.Name(), first.Name())
		}
		killed := time.Now()
		c.kill(victim)
		l.fault(t, killed)
		s.API.Login(t, "demo") // uses a queue that the load does not
		for _, p := range s.Processes() {
			p.AwaitReady(t)
		}
		c.awaitConsumers(t)
		if i < times-1 {
			c.restore(t)
		}
	}
	fault := fmt.Sprintf("the node in use is killed, of a cluster of three, %d times", times)
	l.finish(t, fault, ordersDatabase(s.Dir), resumes())
}

// TestLongClusterRestarts stops and starts each node of a cluster in turn, as an upgrade of the broker does.
func TestLongClusterRestarts(t *testing.T) {
	c := startCluster(t)
	s := c.suite().StartSystem(t, limitSetting, "RPC_QUEUE_TYPE=quorum", "RPC_CALLBACK_QUEUE_TYPE=quorum")
	l := startLoad(t, s.API.Login(t, "demo"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for _, node := range c.Nodes {
		stopping := time.Now()
		c.dead = node
		if err := node.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		l.fault(t, stopping)
		c.restore(t)
	}
	c.awaitConsumers(t)
	// The fault begins with the order to stop, and the node takes its time.
	l.finish(t, "each node of a cluster of three is restarted", ordersDatabase(s.Dir), resumes()+size(0, 10*time.Second))
}

// cluster is three nodes with the broker users of production. At most one node is dead.
type cluster struct {
	*rabbitmqtest.Cluster

	dead *rabbitmqtest.Node // nil if all run
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	nodes, err := rabbitmqtest.StartCluster(ctx, 3, rabbitmqtest.Options{Definitions: system.Definitions()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, node := range nodes.Nodes {
			node.Kill() // faster than a graceful stop, and no test needs the data
		}
		if err := nodes.Close(); err != nil {
			t.Error(err)
		}
	})
	return &cluster{Cluster: nodes}
}

// suite returns a suite whose services know all nodes.
func (c *cluster) suite() *system.Suite {
	addrs := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		addrs[i] = node.Addr()
	}
	return suite.Via(addrs...)
}

// kill ends a node as a crash would.
func (c *cluster) kill(node *rabbitmqtest.Node) {
	c.dead = node
	node.Kill()
}

// restore starts the dead node again, and waits until it has caught up with every queue. A second loss before that would
// leave a queue without a majority.
func (c *cluster) restore(t *testing.T) {
	t.Helper()
	// Next to two nodes under load, a start takes a minute on slow cores. The test promises nothing about it.
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if err := c.dead.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	c.dead = nil
	awaittest.Success(t, "all replicas", func(ctx context.Context) error {
		return c.everyQueue(ctx, "online", func(online string) bool { return strings.Count(online, "@") == len(c.Nodes) })
	})
}

// awaitConsumers waits until every queue has exactly one consumer.
func (c *cluster) awaitConsumers(t *testing.T) {
	t.Helper()
	awaittest.Success(t, "a consumer for each queue", func(ctx context.Context) error {
		return c.everyQueue(ctx, "consumers", func(n string) bool { return n == "1" })
	})
}

// everyQueue returns an error unless a column of list_queues is right for every replicated queue with consumers.
func (c *cluster) everyQueue(ctx context.Context, column string, right func(string) bool) error {
	rows, err := c.list(ctx, "list_queues", "name", "type", column)
	if err != nil {
		return err
	}
	found := false
	for _, row := range rows {
		name, queueType, value := row[0], row[1], row[2]
		if queueType != "quorum" || strings.HasSuffix(name, ".dead") {
			continue
		}
		if !right(value) {
			return fmt.Errorf("queue %s: %s %q", name, column, value)
		}
		found = found || name == callbackQueue
	}
	if !found {
		return fmt.Errorf("no replicated queue %s: %q", callbackQueue, rows)
	}
	return nil
}

// leader waits until a queue has a leader, and returns that node.
func (c *cluster) leader(t *testing.T, queue string) *rabbitmqtest.Node {
	t.Helper()
	var leader *rabbitmqtest.Node
	awaittest.Success(t, "a leader of "+queue, func(ctx context.Context) error {
		rows, err := c.list(ctx, "list_queues", "name", "leader")
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row[0] == queue {
				leader = c.find(func(n *rabbitmqtest.Node) bool { return n.Name() == row[1] })
			}
		}
		if leader == nil {
			return fmt.Errorf("%q", rows)
		}
		return nil
	})
	return leader
}

// connected waits until all services are connected to one node, and returns it.
func (c *cluster) connected(t *testing.T) *rabbitmqtest.Node {
	t.Helper()
	var connected *rabbitmqtest.Node
	awaittest.Success(t, "all services connected to one node", func(ctx context.Context) error {
		rows, err := c.list(ctx, "list_connections", "port")
		if err != nil {
			return err
		}
		ports := map[string]bool{}
		for _, row := range rows {
			ports[row[0]] = true
			connected = c.find(func(n *rabbitmqtest.Node) bool { return strings.HasSuffix(n.Addr(), ":"+row[0]) })
		}
		if len(ports) != 1 {
			return fmt.Errorf("connections to ports %v", ports)
		}
		return nil
	})
	return connected
}

func (c *cluster) find(is func(*rabbitmqtest.Node) bool) *rabbitmqtest.Node {
	if i := slices.IndexFunc(c.Nodes, is); i >= 0 {
		return c.Nodes[i]
	}
	return nil
}

// list returns the rows that a list command of rabbitmqctl prints, by a running node.
func (c *cluster) list(ctx context.Context, command string, columns ...string) ([][]string, error) {
	alive := c.find(func(n *rabbitmqtest.Node) bool { return n != c.dead })
	out, err := alive.Ctl(ctx, append([]string{command, "--no-table-headers"}, columns...)...)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for line := range strings.Lines(out) {
		rows = append(rows, strings.Split(strings.TrimRight(line, "\n"), "\t"))
	}
	return rows, nil
}
