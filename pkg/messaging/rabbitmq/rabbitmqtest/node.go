// Package rabbitmqtest has what tests need to break a connection to RabbitMQ: a node of their own, and a proxy before it.
package rabbitmqtest

import (
	"context"
	"testing"
	"time"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqnode"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqnode/testca"
)

// startTimeout bounds a node's start, which takes about 5 s.
const startTimeout = time.Minute

// StartNode starts a node that is closed with the test.
func StartNode(t testing.TB, options rabbitmqnode.Options) *rabbitmqnode.Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	node, err := rabbitmqnode.Start(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	return node
}

// MutualTLS are the options of a node whose certificate is for host, and which wants client certificates; ca signs both.
func MutualTLS(t testing.TB, ca *testca.Authority, host string) *rabbitmqnode.TLS {
	t.Helper()
	files := ca.Issue(t, testca.Leaf{Name: "node", Hosts: []string{host}})
	return &rabbitmqnode.TLS{Certificate: files.Certificate, Key: files.Key, ClientCA: ca.File}
}
