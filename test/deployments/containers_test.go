// Package deployments checks the files of deployments/ without running any container: the machine of the tests need not
// be able to.
package deployments

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"example.com/warren/test/internal/system"
)

const folder = "../../deployments"

// load returns the project that scripts/compose.sh runs, with env as its environment.
func load(t *testing.T, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(composeFiles(t), cli.WithEnv(env))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// composeFiles returns the files that scripts/compose.sh names, in its order: the last wins.
func composeFiles(t *testing.T) []string {
	t.Helper()
	script, err := os.ReadFile("../../scripts/compose.sh")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for word := range strings.FieldsSeq(string(script)) {
		if name, ok := strings.CutPrefix(strings.Trim(word, `"`), "$folder/"); ok {
			files = append(files, filepath.Join(folder, name))
		}
	}
	if len(files) == 0 {
		t.Fatal("scripts/compose.sh names no file")
	}
	return files
}

// TestContainers checks that a service's container may do nothing that it does not need.
func TestContainers(t *testing.T) {
	project := load(t)
	for _, name := range system.Services {
		c, err := project.GetService(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if c.User != "" { // the user of the image is checked below
			t.Errorf("%s: runs as %s, not as the image's user", name, c.User)
		}
		if !c.ReadOnly || c.Privileged || c.NetworkMode != "" || len(c.CapAdd) > 0 ||
			!slices.Contains(c.CapDrop, "ALL") || !slices.Contains(c.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: may do more than it needs: %+v", name, c)
		}
		if c.HealthCheck == nil || c.Build == nil || c.Build.Args["SERVICE"] == nil || *c.Build.Args["SERVICE"] != name {
			t.Errorf("%s: no health check, or not its image: %+v", name, c.Build)
		}
	}
	for name, c := range project.Services {
		for _, port := range c.Ports {
			if name != "gateway" || port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %+v", name, port)
			}
		}
		if _, inside := c.Networks["internal"]; !inside {
			t.Errorf("%s is not in the network internal", name)
		}
		if _, outside := c.Networks["edge"]; outside != (name == "gateway") {
			t.Errorf("%s: networks %v", name, c.NetworksByPriority())
		}
	}

	dockerfile, err := os.ReadFile(filepath.Join(folder, "Dockerfile"))
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

// TestEnvironment checks what the services' containers are told: the generated file, service.yaml and compose.yaml together.
func TestEnvironment(t *testing.T) {
	project := load(t, "LOG_LEVEL=debug", "GATEWAY_TOKEN_CACHE=1s", "ORDERS_BROKER_URL=amqps://a:b@elsewhere/")
	for service, want := range map[string]map[string]string{
		"gateway": {
			"BROKER_URL":          "amqp://gateway:gateway-development@rabbitmq:5672/",
			"GATEWAY_ADDR":        "0.0.0.0:8080",
			"GATEWAY_TOKEN_CACHE": "1s",
			"LOG_LEVEL":           "debug",
			"RPC_VERIFY_REPLIES":  "true",
		},
		"orders": {
			"BROKER_URL": "amqps://a:b@elsewhere/",
			"DEMO_DATA":  "true",
			"LOG_LEVEL":  "debug",
		},
	} {
		environment := project.Services[service].Environment
		for name, value := range want {
			if got := environment[name]; got == nil || *got != value {
				t.Errorf("%s: %s is %v, want %s", service, name, got, value)
			}
		}
		for name, value := range environment {
			if value == nil && (name == "BROKER_URL" || name == "GATEWAY_ADDR") {
				t.Errorf("%s: %s is not set", service, name)
			}
		}
	}
	// A service sees no other's password.
	for name, c := range project.Services {
		for variable := range c.Environment {
			if strings.HasSuffix(variable, "BROKER_URL") && variable != "BROKER_URL" {
				t.Errorf("%s has %s", name, variable)
			}
		}
	}
}

// TestStartOrder checks that the gateway starts when every other service can reply.
func TestStartOrder(t *testing.T) {
	project := load(t)
	for _, name := range system.Services {
		if broker := project.Services[name].DependsOn["rabbitmq"]; broker.Condition != types.ServiceConditionHealthy {
			t.Errorf("%s does not wait for the broker", name)
		}
		if other := project.Services["gateway"].DependsOn[name]; name != "gateway" && other.Condition != types.ServiceConditionHealthy {
			t.Errorf("the gateway does not wait for %s", name)
		}
	}
}
