package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
)

// metric is what cmd/warren tells about a metric. It mirrors metric of cmd/warren/internal/demo.
type metric struct {
	Name, Type, Help string
	Labels           []string
}

// describeMetrics has cmd/warren run all services for a moment.
func describeMetrics(ctx context.Context, root string) ([]metric, error) {
	workspace, err := filepath.Abs(filepath.Join(root, "go.work"))
	if err != nil {
		return nil, err
	}
	out, err := run(ctx, root, "GOWORK="+workspace, "go", "run", "./"+warrenModule, "metrics")
	if err != nil {
		return nil, err
	}
	var metrics []metric
	if err := json.Unmarshal(out, &metrics); err != nil {
		return nil, fmt.Errorf("read what cmd/warren says: %w", err)
	}
	return metrics, nil
}

// metricsReference returns docs/metrics.md.
func metricsReference(metrics []metric) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<!-- %s -->

# Metrics

Each service has its metrics at /metrics of its admin listener, in the formats of Prometheus and OpenMetrics. Names, units and
labels follow the [semantic conventions](https://opentelemetry.io/docs/specs/semconv/) of OpenTelemetry. Only the gateway has
http_server_ metrics, and only services with a database have go_sql_ metrics. The metrics of the
[Go runtime and the process](https://pkg.go.dev/github.com/prometheus/client_golang/prometheus/collectors), go_ and process_, are
left out here.

- The count of a histogram is the number of requests or calls: there is no other counter of them.
- error_type is empty for a success. Otherwise it is the status, or a word for why there is no reply: timeout, canceled,
  too_many_pending, unavailable, unroutable, malformed_reply or error. For a server, a status below 500 is a success.
- With traces, the buckets of histograms have exemplars with a trace_id. Prometheus stores them with
  --enable-feature=exemplar-storage.
- Queues are looked at when the metrics are read.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
`, header)
	for _, m := range metrics {
		if isRuntime(m.Name) {
			continue
		}
		labels := make([]string, len(m.Labels))
		for i, label := range m.Labels {
			labels[i] = code(label)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(m.Name), m.Type, strings.Join(labels, ", "), cell(m.Help))
	}
	return b.Bytes()
}

// isRuntime reports whether a metric is of the Go runtime or the process: what there is depends on the machine.
func isRuntime(name string) bool {
	return strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "go_sql_")
}
