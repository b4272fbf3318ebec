package rabbitmqtest

import (
	"context"
	"testing"
)

// StartNode starts a node that is closed with the test.
func StartNode(t testing.TB, options Options) *Node {
	t.Helper()
	node, err := Start(context.Background(), options)
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
func MutualTLS(t testing.TB, ca *Authority, host string) *TLS {
	t.Helper()
	files := ca.Issue(t, Leaf{Name: "node", Hosts: []string{host}})
	return &TLS{Certificate: files.Certificate, Key: files.Key, ClientCA: ca.File}
}
