package system

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Metric returns the sum of a metric's series at an admin listener. Labels, a name and a value each, select series. A
// metric without such a series is an error.
func Metric(ctx context.Context, admin, name string, labels ...string) (float64, error) {
	_, body, err := Fetch(ctx, "http://"+admin+"/metrics")
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	for line := range strings.Lines(body) {
		value, ok := valueOf(strings.TrimSpace(line), name, labels)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum, found = sum+n, true
	}
	if !found {
		return 0, fmt.Errorf("no metric %s %q at %s", name, labels, admin)
	}
	return sum, nil
}

// valueOf returns the value of a line in Prometheus' text format, if the line is of the metric and has the labels
// (https://prometheus.io/docs/instrumenting/exposition_formats/). The values of our labels hold no spaces or quotes.
func valueOf(line, name string, labels []string) (string, bool) {
	series, value, _ := strings.Cut(line, " ")
	got, set, _ := strings.Cut(series, "{")
	if got != name {
		return "", false
	}
	for i := 0; i+1 < len(labels); i += 2 {
		label := fmt.Sprintf("%s=%q", labels[i], labels[i+1])
		if !strings.HasPrefix(set, label) && !strings.Contains(set, ","+label) {
			return "", false
		}
	}
	return value, true
}
