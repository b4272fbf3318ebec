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

// TestSettingsAreDocumented compares docs/settings.md with the programs' --help.
func TestSettingsAreDocumented(t *testing.T) {
	page, err := os.ReadFile(system.File("docs/settings.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for line := range strings.Lines(string(page)) {
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
			t.Errorf("%s is not in docs/settings.md", name)
		}
	}
	for name := range documented {
		if !known[name] {
			t.Errorf("docs/settings.md names %s, which no program has", name)
		}
	}
}
