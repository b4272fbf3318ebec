package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/warren/test/internal/system"
)

var (
	variable  = regexp.MustCompile(`[A-Z]+(_[A-Z]+)+`)
	described = regexp.MustCompile(`(` + variable.String() + `):\s`)
)

// TestReadmeNamesEverySetting compares the table in the README with the programs' --help.
func TestReadmeNamesEverySetting(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(readme), "\n## Settings\n")
	table, _, _ = strings.Cut(table, "\n## ")
	if !found {
		t.Fatal("the README has no section Settings")
	}
	documented := map[string]bool{}
	for line := range strings.Lines(table) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			documented[variable.FindString(name)] = true
		}
	}
	known := map[string]bool{}
	for _, service := range system.Services {
		help, err := exec.CommandContext(t.Context(), filepath.Join(suite.Programs, service), "--help").Output()
		if err != nil {
			t.Fatalf("%s --help: %v", service, err)
		}
		for _, name := range described.FindAllStringSubmatch(string(help), -1) {
			known[name[1]] = true
		}
	}
	for name := range known {
		if !documented[name] {
			t.Errorf("%s is not in the README", name)
		}
	}
	for name := range documented {
		if !known[name] {
			t.Errorf("the README names %s, which no program has", name)
		}
	}
}
