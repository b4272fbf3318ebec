package deployments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"example.com/warren/test/internal/system"
)

// series are the labels of each series that Prometheus has, by name.
type series map[string][]string

// scraped returns what a running system exposes, and what Prometheus adds.
var scraped = sync.OnceValues(func() (series, error) {
	cmd := exec.CommandContext(context.Background(), "go", "run", "./cmd/warren", "metrics")
	cmd.Dir = system.File(".")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run the system: %w", err)
	}
	var metrics []struct {
		Name, Type string
		Labels     []string
	}
	if err := json.Unmarshal(out, &metrics); err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	all := series{"up": {"job", "instance"}}
	for _, m := range metrics {
		labels := append(m.Labels, "job", "instance")
		switch m.Type {
		case "histogram":
			all[m.Name+"_bucket"] = append(slices.Clone(labels), "le")
		case "summary":
			all[m.Name] = append(slices.Clone(labels), "quantile")
		default:
			all[m.Name] = labels
			continue
		}
		all[m.Name+"_count"], all[m.Name+"_sum"] = labels, labels
	}
	return all, nil
})

// variables of Grafana, which Prometheus does not know.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$method", ".*", "$service", ".*")

// check returns what is wrong with an expression: metrics that are not exposed, and labels that they do not have.
func (s series) check(expression string) error {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(variables.Replace(expression))
	if err != nil {
		return err
	}
	var errs []error
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		var used []string
		switch n := node.(type) {
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				used = append(used, m.Name)
			}
			used = slices.DeleteFunc(used, func(label string) bool { return label == "__name__" })
			if _, ok := s[n.Name]; !ok {
				errs = append(errs, fmt.Errorf("no metric %s", n.Name))
			}
		case *parser.AggregateExpr:
			used = n.Grouping
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				used = slices.Concat(n.VectorMatching.MatchingLabels, n.VectorMatching.Include)
			}
		default:
			return nil
		}
		errs = append(errs, s.checkLabels(node, used))
		return nil
	})
	return errors.Join(errs...)
}

// checkLabels expects each label on a metric below node.
func (s series) checkLabels(node parser.Node, used []string) error {
	var labels []string
	parser.Inspect(node, func(n parser.Node, _ []parser.Node) error {
		if selector, ok := n.(*parser.VectorSelector); ok {
			labels = append(labels, s[selector.Name]...)
		}
		return nil
	})
	for _, label := range used {
		if !slices.Contains(labels, label) {
			return fmt.Errorf("no label %s in %s", label, node)
		}
	}
	return nil
}

// template matches a label in a text of Grafana or Prometheus: {{label}} and {{ $labels.label }}.
var template = regexp.MustCompile(`{{ *(?:\$labels\.)?([a-z_]+) *}}`)

// checkTexts expects each label in texts among those that the expression groups by, or else among those of its metrics.
func (s series) checkTexts(expression string, texts ...string) error {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(variables.Replace(expression))
	if err != nil {
		return err
	}
	var errs []error
	for _, match := range template.FindAllStringSubmatch(strings.Join(texts, " "), -1) {
		label := match[1]
		errs = append(errs, s.checkLabels(expr, []string{label}))
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if a, ok := node.(*parser.AggregateExpr); ok && !slices.Contains(a.Grouping, label) {
				errs = append(errs, fmt.Errorf("%s does not keep the label %s", a, label))
			}
			return nil
		})
	}
	return errors.Join(errs...)
}

func TestDashboards(t *testing.T) {
	all, err := scraped()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "observability", "dashboards", "*.json"))
	if err != nil || len(files) < 4 {
		t.Fatalf("dashboards %q, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var dashboard struct {
				UID, Title string
				Panels     []struct {
					ID         int
					Title      string
					Datasource struct{ UID string }
					Targets    []struct{ Expr, LegendFormat string }
				}
				Templating struct {
					List []struct{ Query struct{ Query string } }
				}
			}
			text, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(text, &dashboard)
			}
			if err != nil {
				t.Fatal(err)
			}
			if dashboard.UID+".json" != filepath.Base(file) || dashboard.Title == "" || len(dashboard.Panels) == 0 {
				t.Errorf("dashboard %q %q with %d panels", dashboard.UID, dashboard.Title, len(dashboard.Panels))
			}
			for i, panel := range dashboard.Panels {
				if panel.ID != i+1 || panel.Datasource.UID != "prometheus" || len(panel.Targets) == 0 {
					t.Errorf("panel %q: number %d, data source %q", panel.Title, panel.ID, panel.Datasource.UID)
				}
				for _, target := range panel.Targets {
					if err := errors.Join(all.check(target.Expr), all.checkTexts(target.Expr, target.LegendFormat)); err != nil {
						t.Errorf("panel %q: %v", panel.Title, err)
					}
				}
			}
			for _, variable := range dashboard.Templating.List {
				selector, label, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(variable.Query.Query, "label_values("), ")"), ", ")
				if err := all.check(fmt.Sprintf("sum by (%s) (%s)", label, selector)); err != nil || !ok {
					t.Errorf("variable %q: %v", variable.Query.Query, err)
				}
			}
		})
	}
}

// TestAlerts checks the rules, and that docs/operations.md says what to do.
func TestAlerts(t *testing.T) {
	all, err := scraped()
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "observability", "alerts.yaml"))
	if err == nil {
		err = yaml.Unmarshal(text, &rules)
	}
	if err != nil {
		t.Fatal(err)
	}
	operations, err := os.ReadFile(system.File("docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	var alerts []string
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			alerts = append(alerts, rule.Alert)
			if err := errors.Join(all.check(rule.Expr), all.checkTexts(rule.Expr, rule.Annotations["summary"])); err != nil {
				t.Errorf("alert %s: %v", rule.Alert, err)
			}
			if rule.Annotations["summary"] == "" || !slices.Contains([]string{"page", "ticket"}, rule.Labels["severity"]) {
				t.Errorf("alert %s: %q %q", rule.Alert, rule.Annotations, rule.Labels)
			}
		}
	}
	_, runbook, _ := strings.Cut(string(operations), "\n## Alerts\n")
	runbook, _, _ = strings.Cut(runbook, "\n## ")
	var documented []string
	for _, match := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\|").FindAllStringSubmatch(runbook, -1) {
		documented = append(documented, match[1])
	}
	if !slices.Equal(alerts, documented) || len(alerts) == 0 {
		t.Errorf("docs/operations.md has the alerts\n%q, want\n%q", documented, alerts)
	}
}

// TestWrongExpressions checks the check.
func TestWrongExpressions(t *testing.T) {
	all := series{"calls_bucket": {"method", "le"}, "up": {"job"}}
	for expression, want := range map[string]string{
		`sum by (le) (rate(calls_bucket{method="a"}[$__rate_interval]))`: "",
		`calls_total`:                 "no metric calls_total",
		`calls_bucket{status="200"}`:  "no label status",
		`sum by (job) (calls_bucket)`: "no label job",
		`calls_bucket * on (host) up`: "no label host",
		`rate(calls_bucket)`:          "expected type range vector",
	} {
		err := all.check(expression)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", expression, err, want)
		}
	}
	if err := all.checkTexts(`sum by (le) (calls_bucket)`, "{{le}} {{ $labels.method }}"); err == nil ||
		!strings.Contains(err.Error(), "does not keep the label method") {
		t.Errorf("a text with a label that is gone: %v", err)
	}
}

// TestObservability checks the container that only its profile starts.
func TestObservability(t *testing.T) {
	project, err := tryLoad(t, cli.WithEnvFiles(filepath.Join(folder, "demo.env")), cli.WithDotEnv,
		cli.WithProfiles([]string{"observability"}))
	if err != nil {
		t.Fatal(err)
	}
	c := project.Services["observability"]
	if !regexp.MustCompile(`^grafana/otel-lgtm:\d+\.\d+\.\d+$`).MatchString(c.Image) || c.Deploy == nil || c.Deploy.Resources.Limits == nil {
		t.Errorf("image %q, limits %+v", c.Image, c.Deploy)
	}
	for _, port := range c.Ports {
		if port.HostIP != "127.0.0.1" {
			t.Errorf("publishes %+v", port)
		}
	}
	for _, v := range c.Volumes {
		if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
			t.Errorf("volume %+v: %v", v, err)
		}
	}
	config, err := os.ReadFile(filepath.Join(folder, "observability", "prometheus.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range system.Services {
		host, port := service, "9090"
		if addr := project.Services[service].Environment["ADMIN_ADDR"]; addr != nil {
			host, port, _ = strings.Cut(*addr, ":")
		}
		if target := fmt.Sprintf("%q", host+":"+port); !strings.Contains(string(config), target) {
			t.Errorf("Prometheus does not scrape %s", target)
		}
	}
}
