package rabbitmqtest_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// TestLongCluster checks that the nodes of a cluster know each other, and that a killed node joins them again.
func TestLongCluster(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	cluster, err := rabbitmqtest.StartCluster(ctx, 3, rabbitmqtest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cluster.Close() }()
	var names []string
	for _, node := range cluster.Nodes {
		names = append(names, node.Name())
	}
	slices.Sort(names)
	for _, node := range cluster.Nodes {
		if diff := cmp.Diff(names, runningNodes(ctx, t, node)); diff != "" {
			t.Errorf("nodes that %s sees running (-want +got):\n%s", node.Name(), diff)
		}
	}

	urls := cluster.URLs()
	publish(ctx, t, urls[2], "orders", "survivor")
	cluster.Nodes[0].Kill()
	if got, want := get(t, urls[1], "orders"), "survivor"; got != want {
		t.Errorf("message on another node = %q, want %q", got, want)
	}
	if err := cluster.Nodes[0].Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(names, runningNodes(ctx, t, cluster.Nodes[0])); diff != "" {
		t.Errorf("nodes that the restarted one sees running (-want +got):\n%s", diff)
	}

	if err := cluster.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	assertNothingLeft(t, dir)
}

// runningNodes returns the sorted names of the nodes that node sees in its cluster.
func runningNodes(ctx context.Context, t *testing.T, node *rabbitmqtest.Node) []string {
	t.Helper()
	out, err := node.Ctl(ctx, "cluster_status", "--formatter=json")
	if err != nil {
		t.Fatal(err)
	}
	var status struct {
		Running []string `json:"running_nodes"`
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		t.Fatal(err)
	}
	slices.Sort(status.Running)
	return status.Running
}
