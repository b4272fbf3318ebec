package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"example.com/warren/pkg/messaging/inmem"
)

// MetricsCommand is warren metrics.
type MetricsCommand struct{}

// Help implements kong.HelpProvider.
func (*MetricsCommand) Help() string { return "Example:\n\n  warren metrics" }

// metric describes one metric of the services.
type metric struct {
	Name, Type, Help string
	Labels           []string // sorted
}

// Run runs the system in this process for one login, and prints a JSON array of what its services measure, sorted by name.
func (*MetricsCommand) Run(ctx context.Context) (err error) {
	folder, err := os.MkdirTemp("", "warren-metrics-")
	if err != nil {
		return fmt.Errorf("create a folder for the services' data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	all, err := measure(ctx, folder)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}

// requestDuration is there a moment after the response to the first request.
const requestDuration = "http_server_request_duration_seconds"

// measure returns the metrics of services that have handled a login, so that each metric of calls has a series.
func measure(ctx context.Context, folder string) (all []metric, err error) {
	specs, url, err := newSpecs(ctx, folder, "127.0.0.1:0", "error")
	if err != nil {
		return nil, err
	}
	d := &demo{specs: specs}
	if err := d.unsetEnvironment(); err != nil {
		return nil, err
	}
	server, g, taken := inmem.NewServer(), newGroup(len(specs)), map[string]bool{}
	defer func() { err = errors.Join(err, g.stop()) }()
	for _, s := range specs {
		if err := s.chooseAdminAddr(ctx, taken); err != nil {
			return nil, err
		}
		g.add(s, startInProcess(ctx, s, server.ConnectAs(s.service.Name), os.Stderr))
	}
	if err := g.awaitReady(ctx); err != nil {
		return nil, err
	}
	if _, err := newSession(ctx, url); err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	found := map[string]metric{}
	for found[requestDuration].Name == "" {
		for _, m := range g.members {
			if err := scrape(ctx, m.adminAddr, found); err != nil {
				return nil, fmt.Errorf("read the metrics of %s: %w", m.service.Name, err)
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b metric) int { return strings.Compare(a.Name, b.Name) }), nil
}

// scrape adds the metrics at an admin listener to found.
func scrape(ctx context.Context, addr string, found map[string]metric) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return err
	}
	for name, family := range families {
		found[name] = metric{name, strings.ToLower(family.GetType().String()), family.GetHelp(), labels(family)}
	}
	return nil
}

// labels returns the names of the labels of a metric.
func labels(family *dto.MetricFamily) []string {
	names := []string{}
	for _, m := range family.GetMetric() {
		for _, label := range m.GetLabel() {
			names = append(names, label.GetName())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
