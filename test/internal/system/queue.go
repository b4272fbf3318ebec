package system

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Messages returns how many messages a queue holds, by rabbitmqctl.
func (s *Suite) Messages(ctx context.Context, queue string) (int, error) {
	out, err := s.Node.Ctl(ctx, "--quiet", "list_queues", "--no-table-headers", "name", "messages")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		if name, n, _ := strings.Cut(strings.TrimSpace(line), "\t"); name == queue {
			return strconv.Atoi(n)
		}
	}
	return 0, fmt.Errorf("no queue %s", queue)
}

// Holds returns a condition for awaittest.Success: the queue holds that many messages.
func (s *Suite) Holds(queue string, want int) func(context.Context) error {
	return func(ctx context.Context) error {
		n, err := s.Messages(ctx, queue)
		if err == nil && n != want {
			err = fmt.Errorf("queue %s holds %d messages, want %d", queue, n, want)
		}
		return err
	}
}

// Queues returns for each queue its columns of rabbitmqctl list_queues, separated by spaces.
func (s *Suite) Queues(t *testing.T, columns ...string) map[string]string {
	t.Helper()
	queues := map[string]string{}
	out := s.Ctl(t, append([]string{"--quiet", "list_queues", "--no-table-headers", "name"}, columns...)...)
	for line := range strings.Lines(out) {
		name, values, _ := strings.Cut(strings.TrimSpace(line), "\t")
		queues[name] = strings.ReplaceAll(values, "\t", " ")
	}
	return queues
}

// CheckQueues checks that each queue is durable, neither auto-delete nor exclusive, and has one consumer.
func (s *Suite) CheckQueues(t *testing.T, names ...string) {
	t.Helper()
	queues := s.Queues(t, "durable", "auto_delete", "exclusive", "consumers")
	for _, name := range names {
		if queues[name] != "true false false 1" {
			t.Errorf("queue %s: durable, auto-delete, exclusive, consumers are %q", name, queues[name])
		}
	}
}
