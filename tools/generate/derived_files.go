package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// description is what cmd/warren tells about a service. It mirrors Service of cmd/warren/internal/describe.
type description struct {
	Name     string
	Calls    []string
	Settings []setting
}

// setting mirrors Setting of pkg/settings.
type setting struct {
	Flag, Variable, Default, Allowed, Help, Demo string
	Shared, File                                 bool
}

// gateway is the service that users talk to. It calls the others.
const gateway = "gateway"

// own returns the settings that only this service has.
func (d description) own() []setting { return d.settings(false) }

// shared returns the settings that every service has.
func (d description) shared() []setting { return d.settings(true) }

func (d description) settings(shared bool) []setting {
	var list []setting
	for _, s := range d.Settings {
		if s.Shared == shared {
			list = append(list, s)
		}
	}
	return list
}

// files returns the settings that name files of the service.
func (d description) files() []setting {
	var list []setting
	for _, s := range d.Settings {
		if s.File {
			list = append(list, s)
		}
	}
	return list
}

// variablePrefix is what the names of the service's own variables begin with.
func (d description) variablePrefix() string {
	return strings.ToUpper(strings.ReplaceAll(d.Name, "-", "_")) + "_"
}

// developmentPassword is what the service's broker user has in the demo and in tests. Anyone can read it here.
func (d description) developmentPassword() string { return d.Name + "-development" }

// brokerURL returns the BROKER_URL of the service in the containers.
func (d description) brokerURL(password string) string {
	return fmt.Sprintf("amqp://%s:%s@rabbitmq:5672/\n", d.Name, password)
}

// describeServices asks cmd/warren, which must compile.
func describeServices(ctx context.Context, root string) ([]description, error) {
	workspace, err := filepath.Abs(filepath.Join(root, "go.work"))
	if err != nil {
		return nil, err
	}
	out, err := run(ctx, root, "GOWORK="+workspace, "go", "run", "./"+warrenModule, "services")
	if err != nil {
		return nil, err
	}
	var services []description
	if err := json.Unmarshal(out, &services); err != nil {
		return nil, fmt.Errorf("read what cmd/warren says: %w", err)
	}
	return services, nil
}

// checkNames reports a service that is not named like its folder. Both lists have the order of the folders.
func checkNames(folders []service, services []description) error {
	for i, s := range services {
		if folder := folders[i].name; s.Name != folder {
			return fmt.Errorf("services/%s: New names the service %q, want the folder's name", folder, s.Name)
		}
	}
	return nil
}

// derivedFiles returns what is made from the services' descriptions.
func derivedFiles(services []description) ([]file, error) {
	definitions, err := brokerDefinitions(services, description.developmentPassword)
	if err != nil {
		return nil, err
	}
	tests, err := testSettings(services)
	if err != nil {
		return nil, err
	}
	files := []file{
		{path: "deployments/compose.services.yaml", content: composeServices(services)},
		{path: "deployments/observability/prometheus.yaml", content: prometheusConfig(services)},
		{path: "deployments/rabbitmq/definitions/services.json", content: definitions},
		{path: "docs/settings.md", content: settingsReference(services)},
		{path: "test/internal/system/services.go", content: tests},
	}
	for _, s := range services {
		url := file{path: urlsFolder + "/" + s.Name, content: []byte(s.brokerURL(s.developmentPassword()))}
		files = append(files, url)
	}
	return files, nil
}

// urlsFolder has a file for each service, and no others.
const urlsFolder = "deployments/rabbitmq/urls"

// goneServices returns the files of services that there are no more.
func goneServices(root string, services []description) ([]file, error) {
	entries, err := os.ReadDir(filepath.Join(root, urlsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var gone []file
	for _, entry := range entries {
		if !slices.ContainsFunc(services, func(s description) bool { return s.Name == entry.Name() }) {
			gone = append(gone, file{path: urlsFolder + "/" + entry.Name()})
		}
	}
	return gone, nil
}

// composeServices returns a container for each service. They extend the hand-written service.yaml, and the hand-written
// compose.yaml is merged over them.
func composeServices(services []description) []byte {
	var b bytes.Buffer
	write := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	write("# %s", header)
	write("# service.yaml has what all of these share, compose.yaml what one of them has besides.")
	write("")
	write("services:")
	for _, s := range services {
		write("  %s:", s.Name)
		write("    extends: {file: service.yaml, service: service}")
		write("    build:")
		write("      args: {SERVICE: %s}", s.Name)
		write("    environment:")
		write("      BROKER_URL_FILE: /run/secrets/broker-url")
		for _, setting := range s.own() {
			// Files are below the image's working directory, DEMO_DATA is in service.yaml.
			if !setting.File && strings.HasPrefix(setting.Variable, s.variablePrefix()) {
				write("      %s:", setting.Variable)
			}
		}
		write("    secrets: [{source: %s-broker-url, target: broker-url}]", s.Name)
		if len(s.files()) > 0 {
			write(`    volumes: ["%s:/data"]`, s.Name)
		}
		write("    depends_on:")
		write("      rabbitmq: {condition: service_healthy}")
		for _, other := range services {
			if s.Name == gateway && other.Name != gateway {
				write("      %s: {condition: service_healthy}", other.Name)
			}
		}
		write("")
	}
	write("secrets:")
	for _, s := range services {
		write(`  %s-broker-url: {file: "${BROKER_URLS:?run make secrets, or make up for a demo}/%[1]s"}`, s.Name)
	}
	write("")
	write("volumes:")
	for _, s := range services {
		if len(s.files()) > 0 {
			write("  %s:", s.Name)
		}
	}
	return b.Bytes()
}

// prometheusConfig returns the settings of the Prometheus in the containers.
func prometheusConfig(services []description) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# %s

global: {scrape_interval: 15s, evaluation_interval: 15s}
rule_files: [alerts.yaml]
otlp: {promote_resource_attributes: [service.name, service.instance.id]}
storage: {tsdb: {out_of_order_time_window: 10m}}

scrape_configs:
`, header)
	for _, s := range services {
		host := s.Name
		if host == gateway {
			host = "gateway-admin" // in compose.yaml: its address in the network internal
		}
		fmt.Fprintf(&b, "  - {job_name: %s, static_configs: [{targets: [\"%s:9090\"]}]}\n", s.Name, host)
	}
	return b.Bytes()
}
