package e2e

import (
	"context"
	"fmt"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// TestQueueMetrics reads what a service says about its queues, which it looks at with the privileges of production.
func TestQueueMetrics(t *testing.T) {
	const queue = "access-control.logout"
	s := suite.StartSystem(t)
	p := s.Process("access-control")
	await := func(name, queue string, want float64) {
		t.Helper()
		awaittest.Success(t, fmt.Sprintf("%s %v of %s", name, want, queue), func(ctx context.Context) error {
			n, err := p.Measure(ctx, name, "messaging_destination_name", queue)
			if err == nil && n != want {
				err = fmt.Errorf("it is %v", n)
			}
			return err
		})
	}
	await("messaging_queue_messages", queue, 0)
	await("messaging_queue_consumers", queue, 1)
	second := s.Start(t, "access-control")
	second.AwaitReady(t)
	await("messaging_queue_consumers", queue, 2)
	second.Stop(t)
	await("messaging_queue_consumers", queue, 1)

	const metric, dead = "messaging_dead_letter_messages", queue + ".dead"
	before := p.Metric(t, metric, "messaging_destination_name", dead)
	undecodable := rabbitmqtest.Properties("undecodable", rabbitmqtest.Field("deep", rabbitmqtest.Nested('F', 100)))
	raw := suite.DialRaw(t, "access-control")
	if err := raw.Publish(queue, undecodable, nil); err != nil {
		t.Fatal(err)
	}
	_ = raw.Close()
	await(metric, dead, before+1)
	suite.Tool("access-control").Run(t, "dead", "drop", dead, "--all", "--yes")
	await(metric, dead, 0)
}
