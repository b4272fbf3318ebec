package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"example.com/warren/test/internal/system"
)

// TestContainers checks the privileges of the services' containers as compose.yaml states them. It runs no container.
func TestContainers(t *testing.T) {
	text, err := os.ReadFile("../../deployments/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			User        string
			ReadOnly    bool     `yaml:"read_only"`
			Privileged  bool     `yaml:"privileged"`
			CapAdd      []string `yaml:"cap_add"`
			CapDrop     []string `yaml:"cap_drop"`
			SecurityOpt []string `yaml:"security_opt"`
			NetworkMode string   `yaml:"network_mode"`
			Ports       []string
		}
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	for _, name := range system.Services {
		c, ok := compose.Services[name]
		if !ok {
			t.Errorf("no container for %s", name)
			continue
		}
		if c.User != "" { // the image's user is checked below
			t.Errorf("%s: runs as %s, not as the image's user", name, c.User)
		}
		if !c.ReadOnly || c.Privileged || c.NetworkMode != "" || len(c.CapAdd) > 0 ||
			!slices.Contains(c.CapDrop, "ALL") || !slices.Contains(c.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: may do more than it needs: %+v", name, c)
		}
	}
	for name, c := range compose.Services {
		for _, port := range c.Ports {
			if name != "gateway" || !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s", name, port)
			}
		}
	}

	dockerfile, err := os.ReadFile("../../deployments/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, image, _ := strings.Cut(string(dockerfile), "\nFROM scratch\n")
	_, user, _ := strings.Cut(image, "\nUSER ")
	user, _, _ = strings.Cut(user, "\n")
	if uid, _, _ := strings.Cut(user, ":"); uid == "" || uid == "0" || uid == "root" {
		t.Errorf("the image runs as user %q", user)
	}
}
