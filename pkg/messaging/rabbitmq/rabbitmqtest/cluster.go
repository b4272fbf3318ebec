package rabbitmqtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
)

// Cluster is a group of nodes that form one broker. See https://www.rabbitmq.com/docs/clustering.
type Cluster struct{ Nodes []*Node }

// StartCluster starts n nodes and returns once they accept connections and know each other. Only the first node uses
// options.Name and options.Port. ctx bounds the start; the cluster runs until Close.
func StartCluster(ctx context.Context, n int, options Options) (*Cluster, error) {
	options.cookie = rand.Text()
	first, err := Start(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start RabbitMQ cluster: %w", err)
	}
	// A node that finds no other forms its own cluster, so the others start after the first.
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
		return nil, fmt.Errorf("start RabbitMQ cluster: %w", errors.Join(err, c.Close()))
	}
	return c, nil
}

// URLs returns the URL of each node.
func (c *Cluster) URLs() []string {
	urls := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		urls[i] = n.URL()
	}
	return urls
}

// Close closes all nodes concurrently.
func (c *Cluster) Close() error {
	return c.each(func(i int) error {
		if c.Nodes[i] == nil {
			return nil // it did not start
		}
		return c.Nodes[i].Close()
	})
}

// each calls f for all nodes concurrently.
func (c *Cluster) each(f func(i int) error) error {
	errs := make([]error, len(c.Nodes))
	var running sync.WaitGroup
	for i := range c.Nodes {
		running.Go(func() { errs[i] = f(i) })
	}
	running.Wait()
	return errors.Join(errs...)
}
