package system

import (
	"context"
	"fmt"
	"strconv"
	"strings"
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
