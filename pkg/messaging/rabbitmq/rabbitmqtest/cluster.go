package rabbitmqtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
)

// Cluster is several nodes that act as one broker (https://www.rabbitmq.com/docs/clustering).
type Cluster struct{ Nodes []*Node }

// StartCluster returns once n nodes take connections and know of each other. Name and Port of options are the first
// node's. ctx ends the start, not the cluster.
func StartCluster(ctx context.Context, n int, options Options) (*Cluster, error) {
	options.cookie = rand.Text()
	first, err := Start(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start a cluster: %w", err)
	}
	// Nodes that find no other start alone, so they come after one that runs.
	options.Name, options.Port, options.peers = "", 0, []string{first.name}
	c := &Cluster{Nodes: make([]*Node, max(n, 1))}
	c.Nodes[0] = first
	err = c.each(func(i int) (err error) {
		if i > 0 {
			c.Nodes[i], err = Start(ctx, options)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start a cluster: %w", errors.Join(err, c.Close()))
	}
	return c, nil
}

// URLs are those of the nodes.
func (c *Cluster) URLs() []string {
	urls := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		urls[i] = n.URL()
	}
	return urls
}

// Close closes all nodes at once.
func (c *Cluster) Close() error {
	return c.each(func(i int) error {
		if c.Nodes[i] == nil {
			return nil // never started
		}
		return c.Nodes[i].Close()
	})
}

// each calls f for all nodes at once.
func (c *Cluster) each(f func(i int) error) error {
	errs := make([]error, len(c.Nodes))
	var running sync.WaitGroup
	for i := range c.Nodes {
		running.Go(func() { errs[i] = f(i) })
	}
	running.Wait()
	return errors.Join(errs...)
}
