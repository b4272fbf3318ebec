package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/test/internal/system"
)

var rawMessages = flag.Int("raw-messages", 200, "how many random messages TestRawMessages publishes")

// TestRawMessages has a stolen broker user, access-control, publish messages with random properties to every queue, among them
// some that the AMQP library cannot decode. Each message costs at most itself: the calls of others succeed, no connection is
// lost, no message stays in a queue, and what cannot be decoded is set aside.
func TestRawMessages(t *testing.T) {
	s := suite.StartSystem(t)
	queues, consumed := listQueues(t)

	stop := invalidLogins(t, s.API, 4)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	publishRandom(t, rand.New(rand.NewPCG(seed, 0)), queues)
	undecodable := rabbitmqtest.Properties("undecodable", rabbitmqtest.Field("deep", rabbitmqtest.Nested('F', 100)))
	raw := suite.DialRaw(t, "access-control")
	for _, queue := range queues {
		before := setAside(t, s, queue)
		if err := raw.Publish(queue, undecodable, nil); err != nil {
			t.Fatalf("publish to %s: %v", queue, err)
		}
		if slices.Contains(consumed, queue) {
			awaittest.Success(t, "set aside from "+queue, func(context.Context) error {
				if n := setAside(t, s, queue); n <= before {
					return fmt.Errorf("%v messages, %v before", n, before)
				}
				return nil
			})
		}
	}
	_ = raw.Close()
	stop()

	awaittest.Success(t, "no message left", func(ctx context.Context) error {
		out, err := suite.Node.Ctl(ctx, "--quiet", "list_queues", "--no-table-headers", "name", "messages")
		for line := range strings.Lines(out) {
			if queue, n, _ := strings.Cut(strings.TrimSpace(line), "\t"); slices.Contains(consumed, queue) && n != "0" {
				err = errors.Join(err, errors.New(line))
			}
		}
		return err
	})
	for _, p := range s.Processes() {
		if n := p.Metric(t, "messaging_reconnects_total"); n != 0 {
			t.Errorf("%s lost its connection to the broker %v times", p.Service, n)
		}
		p.AwaitReady(t)
	}
	for _, queue := range queues {
		if strings.HasSuffix(queue, ".dead") { // the browser must cope with the messages, too
			service, _, _ := strings.Cut(queue, ".")
			suite.Tool(service).Run(t, "dead", "drop", queue, "--all", "--yes")
		}
	}
}

// publishRandom publishes random messages to random queues. It dials again after each that the broker refuses.
func publishRandom(t *testing.T, r *rand.Rand, queues []string) {
	t.Helper()
	refused := 0
	raw := suite.DialRaw(t, "access-control")
	for range *rawMessages {
		queue := queues[r.IntN(len(queues))]
		properties := rabbitmqtest.RandomProperties(r, queues)
		switch err := raw.Publish(queue, properties, []byte("{}")); {
		case errors.Is(err, rabbitmqtest.ErrRefused):
			refused++
			_ = raw.Close()
			raw = suite.DialRaw(t, "access-control")
		case err != nil:
			t.Fatalf("publish to %s with %q: %v", queue, properties, err)
		}
	}
	_ = raw.Close()
	t.Logf("%d of %d messages accepted", *rawMessages-refused, *rawMessages)
	if refused > *rawMessages/2 {
		t.Errorf("the broker refused %d of %d messages", refused, *rawMessages)
	}
}

// listQueues returns the names of all queues, and of those whose messages a service handles.
func listQueues(t *testing.T) (all, consumed []string) {
	t.Helper()
	for queue, consumers := range suite.Queues(t, "consumers") {
		all = append(all, queue)
		if consumers != "0" && !strings.HasSuffix(queue, ".consumer-lock") {
			consumed = append(consumed, queue)
		}
	}
	if len(consumed) == 0 {
		t.Fatalf("queues %q have no consumers", all)
	}
	slices.Sort(all) // for the seed
	return all, consumed
}

// setAside returns how many undecodable messages of a queue its service has counted.
func setAside(t *testing.T, s *system.System, queue string) float64 {
	t.Helper()
	service, _, _ := strings.Cut(queue, ".")
	n, err := s.Process(service).Measure(t.Context(), "messaging_set_aside_messages_total",
		"messaging_destination_name", queue, "reason", "undecodable")
	if err != nil {
		return 0 // the service does not consume the queue
	}
	return n
}
