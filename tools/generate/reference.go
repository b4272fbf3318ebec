package main

import (
	"bytes"
	"fmt"
	"go/format"
	"strings"
)

// settingsReference returns docs/settings.md.
func settingsReference(services []description) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<!-- %s -->

# Settings

Each service reads its settings from environment variables when it starts. Each variable is also a flag that overrides it:
RPC_TIMEOUT is --rpc-timeout. NAME_FILE names a file with the value of NAME, e.g. a mounted secret. A value that is not
allowed ends the start with an error that names the variable. --help of a service prints its settings.

Traces have OpenTelemetry's variables (OTEL_EXPORTER_OTLP_ENDPOINT …), which are not in these tables:
[operations.md](operations.md#trace-requests).

## Every service

`, header)
	writeTable(&b, sharedSettings(services))
	for _, s := range services {
		fmt.Fprintf(&b, "\n## %s\n\n", s.Name)
		writeTable(&b, s.own())
	}
	return b.Bytes()
}

// sharedSettings returns the settings that every service has. A default that differs between services is listed for each.
func sharedSettings(services []description) []setting {
	if len(services) == 0 {
		return nil
	}
	list := services[0].shared()
	for i := range list {
		var each []string
		same := true
		for _, s := range services {
			value := s.shared()[i].Default
			same = same && value == list[i].Default
			each = append(each, s.Name+" "+code(value))
		}
		if same {
			list[i].Default = code(list[i].Default)
		} else {
			list[i].Default = strings.Join(each, ", ")
		}
	}
	return list
}

func writeTable(b *bytes.Buffer, settings []setting) {
	b.WriteString("| Variable | Default | Allowed | Meaning |\n|---|---|---|---|\n")
	for _, s := range settings {
		fallback := s.Default
		if !s.Shared {
			fallback = code(fallback)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", code(s.Variable), fallback, cell(s.Allowed), cell(s.Help))
	}
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// cell escapes what would end a cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// testSettings returns what the tests of the whole system must know of each service.
func testSettings(services []description) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// %s\n\npackage system\n\n// Services are the programs of a whole system.\nvar Services = []string{", header)
	for _, s := range services {
		fmt.Fprintf(&b, "%q, ", s.Name)
	}
	b.WriteString("}\n\n// fileSettings are the settings of each service that name its files, with their defaults.\n")
	b.WriteString("var fileSettings = map[string]map[string]string{\n")
	for _, s := range services {
		writeMap(&b, s.Name, s.files(), func(s setting) string { return s.Default })
	}
	b.WriteString("}\n\n// demoSettings are the settings of each service that make demo and tests change.\n")
	b.WriteString("var demoSettings = map[string]map[string]string{\n")
	for _, s := range services {
		var list []setting
		for _, each := range s.Settings {
			if each.Demo != "" {
				list = append(list, each)
			}
		}
		writeMap(&b, s.Name, list, func(s setting) string { return s.Demo })
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}

func writeMap(b *bytes.Buffer, name string, settings []setting, value func(setting) string) {
	if len(settings) == 0 {
		return
	}
	fmt.Fprintf(b, "%q: {", name)
	for _, s := range settings {
		fmt.Fprintf(b, "%q: %q, ", s.Variable, value(s))
	}
	b.WriteString("},\n")
}
