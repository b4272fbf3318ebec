package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"example.com/warren/test/bench/internal/load"
)

// measurement is the result of one row in one round with a number of callers.
type measurement struct {
	load.Result
	rate     float64 // requests per second
	closed   int     // connections and channels that the broker closed
	front    usage   // of the gateway or client
	broker   usage
	services usage
	counts   [3]counts // of the components, in this order, if the lab counts
}

// snapshot is the usage of a row's processes at one moment.
type snapshot struct{ front, broker, services usage }

func (l *lab) snapshot(front *process, r *row) (s snapshot, err error) {
	if s.front, err = usageOf(front); err != nil {
		return s, err
	}
	if s.services, err = usageOf(r.services...); err != nil {
		return s, err
	}
	if r.noBroker {
		return s, nil
	}
	s.broker, err = usageOf(l.broker)
	return s, err
}

// observe begins the measurement of a row's processes. The function that it returns ends it.
func (l *lab) observe(ctx context.Context, front *process, r *row) (end func(*measurement) error, err error) {
	var stops [len(measurement{}.counts)]func() (counts, error)
	for i, processes := range [][]*process{{front}, {l.broker}, r.services} {
		if l.count == nil || i == 1 && r.noBroker {
			continue
		}
		if stops[i], err = l.count(ctx, processes); err != nil {
			return nil, err
		}
	}
	before, err := l.snapshot(front, r)
	if err != nil {
		return nil, err
	}
	return func(m *measurement) error {
		after, err := l.snapshot(front, r)
		if err != nil {
			return err
		}
		m.setUsage(before, after)
		for i, stop := range stops {
			if stop == nil {
				continue
			}
			if m.counts[i], err = stop(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// key identifies the measurements of a row with a number of callers.
type key struct {
	row     string
	callers int
}

// measureAll returns the measurements of all rounds.
func (l *lab) measureAll(ctx context.Context, rows []*row, c *tableCommand) (map[key][]measurement, error) {
	results := map[key][]measurement{}
	for round := range c.Rounds {
		for _, callers := range c.Callers {
			for _, r := range rows {
				m, err := l.measure(ctx, r, load.Options{Callers: callers, WarmUp: c.WarmUp, Duration: c.Duration})
				if err != nil {
					return nil, fmt.Errorf("measure %s with %d callers: %w", r.name, callers, err)
				}
				fmt.Fprintf(os.Stderr, "round %d: %s, %d callers: %.0f requests/s, %d errors %s\n",
					round+1, r.name, callers, m.rate, m.Errors, m.Error)
				k := key{r.name, callers}
				results[k] = append(results[k], m)
			}
		}
	}
	return results, nil
}

// closes matches the lines of the broker's log about a connection or channel that the broker closed or lost.
var closes = regexp.MustCompile(`\[(error|warning)\].*(AMQP connection|[Cc]hannel error|channel exception)`)

func (l *lab) measure(ctx context.Context, r *row, o load.Options) (measurement, error) {
	closed := l.brokerLog.Count(closes)
	measure := l.measureGateway
	if r.gateway == nil {
		measure = l.measureClient
	}
	m, err := measure(ctx, r, o)
	if err != nil {
		return m, err
	}
	m.rate = float64(m.Requests) / m.Duration.Seconds()
	m.closed = l.brokerLog.Count(closes) - closed
	return m, nil
}

func (m *measurement) setUsage(before, after snapshot) {
	m.front = after.front.since(before.front)
	m.broker = after.broker.since(before.broker)
	m.services = after.services.since(before.services)
}

func (l *lab) measureClient(ctx context.Context, r *row, o load.Options) (m measurement, err error) {
	client, complaints, err := l.startReporter(r.client, append(slices.Clone(r.args),
		"--callers", strconv.Itoa(o.Callers), "--warm-up", o.WarmUp.String(), "--duration", o.Duration.String()), r.env)
	if err != nil {
		return m, err
	}
	defer func() {
		_ = client.in.Close() // ends the client
		if ended := client.cmd.Wait(); err == nil && ended != nil {
			err = fmt.Errorf("%s: %w: %s", r.client, ended, complaints)
		}
	}()
	var end func(*measurement) error
	var failed error
	m.Result, err = load.ReadReport(client.out, func() { end, failed = l.observe(ctx, client, r) })
	if err != nil {
		return m, fmt.Errorf("%w: %s", err, complaints)
	}
	if failed != nil {
		return m, failed
	}
	return m, end(&m)
}

func (l *lab) measureGateway(ctx context.Context, r *row, o load.Options) (m measurement, err error) {
	if _, err := l.wrk(ctx, r, o.Callers, o.WarmUp); err != nil {
		return m, err
	}
	r.gateway.clearLog()
	end, err := l.observe(ctx, r.gateway, r)
	if err != nil {
		return m, err
	}
	result, err := l.wrk(ctx, r, o.Callers, o.Duration)
	if err != nil {
		return m, err
	}
	m.Result = result.Result
	if err := end(&m); err != nil {
		return m, err
	}
	if err := result.checkBytes(r.response, o.Callers); err != nil {
		m.Errors = max(m.Errors, 1)
		m.Error = err.Error()
	}
	return m, nil
}

// perRequest is in microseconds.
func perRequest(d time.Duration, requests int) float64 {
	return float64(d.Microseconds()) / float64(max(requests, 1))
}
