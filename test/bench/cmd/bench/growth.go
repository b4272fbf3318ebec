package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"example.com/warren/test/bench/internal/load"
)

// growthLoad is the load of each point of a growth.
var growthLoad = load.Options{Callers: 64, WarmUp: 500 * time.Millisecond, Duration: 2 * time.Second}

// growth measures how the cost of a call over pkg/rpc grows with one quantity. All points are compared with the first.
type growth struct {
	quantity string
	points   []*point
}

type point struct {
	value    string
	replicas int      // of the service
	both     []string // arguments of client and service
	client   []string // arguments of the client
	holds    bool     // the client leaves requests in a queue without a consumer
	prefix   string   // of the queues' names
	row      *row
	rounds   []measurement
}

func growths() []growth {
	return []growth{
		{"request queues", []*point{queues(1), queues(10), queues(100), queues(1000)}},
		{"other calls that are pending", []*point{pending(1), pending(1000), pending(10_000), pending(50_000)}},
		{"body of the reply", []*point{body("0", 0), body("1 KiB", 1<<10), body("64 KiB", 64<<10), body("1 MiB", 1<<20)}},
		{"replicas of the service", []*point{replicas(1), replicas(2), replicas(4)}},
	}
}

func queues(n int) *point {
	return &point{value: strconv.Itoa(n), replicas: 1, both: []string{"--queues", strconv.Itoa(n)}}
}

func pending(n int) *point {
	return &point{value: strconv.Itoa(n), replicas: 1, client: []string{"--pending", strconv.Itoa(n)}, holds: true}
}

func body(value string, bytes int) *point {
	return &point{value: value, replicas: 1, both: []string{"--bytes", strconv.Itoa(bytes)}}
}

func replicas(n int) *point { return &point{value: strconv.Itoa(n), replicas: n} }

// measureGrowths measures the points of each growth in turns.
func (l *lab) measureGrowths(ctx context.Context, rounds int) ([]growth, error) {
	all := growths()
	for _, g := range all {
		for _, p := range g.points {
			if err := l.startPoint(ctx, g, p); err != nil {
				return nil, fmt.Errorf("%s of %s: %w", p.value, g.quantity, err)
			}
		}
		for round := range rounds {
			for _, p := range g.points {
				m, err := l.measure(ctx, p.row, growthLoad)
				if err != nil {
					return nil, fmt.Errorf("measure %s %s: %w", p.value, g.quantity, err)
				}
				fmt.Fprintf(os.Stderr, "round %d: %s %s: %.0f requests/s, %d errors %s\n",
					round+1, p.value, g.quantity, m.rate, m.Errors, m.Error)
				p.rounds = append(p.rounds, m)
				if err := l.dropHeld(ctx, p); err != nil {
					return nil, err
				}
			}
		}
		for _, p := range g.points {
			for _, service := range p.row.services {
				service.stop()
			}
		}
	}
	return all, nil
}

// dropHeld removes the requests without a reply. They would keep the broker busy until they expire.
func (l *lab) dropHeld(ctx context.Context, p *point) error {
	if !p.holds {
		return nil
	}
	if _, err := l.node.Ctl(ctx, "purge_queue", p.prefix+".unserved"); err != nil {
		return fmt.Errorf("drop the held requests: %w", err)
	}
	return nil
}

// startPoint starts the services of a point, with their own queues.
func (l *lab) startPoint(ctx context.Context, g growth, p *point) error {
	p.prefix = g.quantity + " " + p.value
	common := slices.Concat([]string{"--prefix", p.prefix}, p.both)
	p.row = &row{
		name:   p.value + " " + g.quantity,
		client: "rpc",
		args:   slices.Concat(common, []string{"client"}, p.client),
		env:    []string{"BROKER_URL=" + l.brokerURL(benchUser, ""), collectorSetting},
	}
	for i := range p.replicas {
		service, err := l.start(fmt.Sprintf("rpc-service %s %d", p.row.name, i), "rpc", slices.Concat(common, []string{"service"}), p.row.env)
		if err != nil {
			return err
		}
		p.row.services = append(p.row.services, service)
	}
	for _, service := range p.row.services {
		if err := service.awaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}
