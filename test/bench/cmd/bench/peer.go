package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// startPeer starts the service and gateway of a framework in test/bench/peers.
func (l *lab) startPeer(ctx context.Context, r *row, peer string) error {
	folder, err := filepath.Abs(filepath.Join("test", "bench", "peers", peer))
	if err != nil {
		return fmt.Errorf("find %s: %w", peer, err)
	}
	if err := l.linkNode(folder, peer); err != nil {
		return err
	}
	env := []string{"BROKER_URL=" + l.brokerURL(benchUser, ""), "NODE_ENV=production"}
	service, err := l.start(peer+"-service", peer, []string{filepath.Join(folder, "service.js")}, env)
	if err != nil {
		return err
	}
	r.services = []*process{service}
	return l.startGateway(ctx, r, peer, []string{filepath.Join(folder, "gateway.js")}, env...)
}

// linkNode links the Node.js that is installed in folder as a program of the lab.
func (l *lab) linkNode(folder, program string) error {
	nodes, err := filepath.Glob(filepath.Join(folder, "node_modules", "node-*", "bin", "node"))
	if err != nil {
		return fmt.Errorf("find node: %w", err)
	}
	if len(nodes) != 1 {
		return fmt.Errorf("find node: %d are installed in %s: run make bench-peers", len(nodes), folder)
	}
	return os.Symlink(nodes[0], l.program(program))
}
