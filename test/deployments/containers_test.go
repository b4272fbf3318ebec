// Package deployments checks the files of deployments/ without running any container: the machine of the tests need not
// be able to.
package deployments

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"example.com/warren/test/internal/system"
)

const folder = "../../deployments"

// load returns the project that scripts/compose.sh demo runs, with env as its environment.
func load(t *testing.T, env ...string) *types.Project {
	t.Helper()
	project, err := tryLoad(t, cli.WithEnv(env), cli.WithEnvFiles(filepath.Join(folder, "demo.env")), cli.WithDotEnv)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func tryLoad(t *testing.T, options ...cli.ProjectOptionsFn) (*types.Project, error) {
	t.Helper()
	o, err := cli.NewProjectOptions(composeFiles(t), options...)
	if err != nil {
		t.Fatal(err)
	}
	return o.LoadProject(t.Context())
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
		if name, ok := strings.CutPrefix(strings.Trim(word, `"`), "$folder/"); ok && strings.HasSuffix(name, ".yaml") {
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
	project := load(t, "LOG_LEVEL=debug", "GATEWAY_TOKEN_CACHE=1s")
	for service, want := range map[string]map[string]string{
		"gateway": {
			"BROKER_URL_FILE":     "/run/secrets/broker-url",
			"GATEWAY_ADDR":        "0.0.0.0:8080",
			"GATEWAY_TOKEN_CACHE": "1s",
			"LOG_LEVEL":           "debug",
			"RPC_VERIFY_REPLIES":  "true",
		},
		"access-control": {
			"BROKER_URL_FILE": "/run/secrets/broker-url",
			"DEMO_DATA":       "true",
			"LOG_LEVEL":       "debug",
		},
	} {
		environment := project.Services[service].Environment
		for name, value := range want {
			if got := environment[name]; got == nil || *got != value {
				t.Errorf("%s: %s is %v, want %s", service, name, got, value)
			}
		}
		for name, value := range environment {
			if value == nil && name == "GATEWAY_ADDR" {
				t.Errorf("%s: %s is not set", service, name)
			}
		}
	}
}

// TestSecrets checks that a service has its own password alone, as a file.
func TestSecrets(t *testing.T) {
	project := load(t)
	entries, err := os.ReadDir(filepath.Join(folder, "rabbitmq", "urls"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(system.Services, entry.Name()) {
			t.Errorf("no service has the password in deployments/rabbitmq/urls/%s: remove the file", entry.Name())
		}
	}
	for _, name := range system.Services {
		secrets := project.Services[name].Secrets
		if len(secrets) != 1 || "/run/secrets/"+secrets[0].Target != *project.Services[name].Environment["BROKER_URL_FILE"] {
			t.Fatalf("%s: secrets %v", name, secrets)
		}
		text, err := os.ReadFile(project.Secrets[secrets[0].Source].File)
		if err != nil {
			t.Error(err)
		}
		if want := "amqp://" + name + ":" + name + "-development@rabbitmq:5672/\n"; string(text) != want {
			t.Errorf("%s has the secret %q", name, text)
		}
	}
}

// TestOnlyTheDemoHasKnownPasswords: without the demo's settings, nothing starts with a password or user that is published.
func TestOnlyTheDemoHasKnownPasswords(t *testing.T) {
	own := []string{"BROKER_DEFINITIONS=/own/definitions", "BROKER_URLS=/own/urls"}
	for i, setting := range own {
		name, _, _ := strings.Cut(setting, "=")
		if _, err := tryLoad(t, cli.WithEnv(slices.Delete(slices.Clone(own), i, i+1))); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	project, err := tryLoad(t, cli.WithEnv(own))
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range project.Secrets {
		if !strings.HasPrefix(secret.File, "/own/urls/") {
			t.Errorf("secret %s is in %s", name, secret.File)
		}
	}
	for _, v := range project.Services["rabbitmq"].Volumes {
		if v.Target == "/etc/rabbitmq/definitions" && v.Source != "/own/definitions" {
			t.Errorf("the broker's users are those of %s", v.Source)
		}
	}
	for name, c := range project.Services {
		if data := c.Environment["DEMO_DATA"]; data != nil && *data != "false" {
			t.Errorf("%s has demo users", name)
		}
	}
	if demo := load(t).Name; demo == project.Name {
		t.Errorf("the demo is the project %s too: its volumes have demo users", demo)
	}
}

// TestAdminListeners checks that probes and metrics are reachable from the network internal alone.
func TestAdminListeners(t *testing.T) {
	for name, c := range load(t).Services {
		if _, outside := c.Networks["edge"]; !outside {
			continue
		}
		addr := c.Environment["ADMIN_ADDR"]
		if addr == nil {
			t.Errorf("%s: the admin listener is in all networks", name)
			continue
		}
		host, _, _ := strings.Cut(*addr, ":")
		for network, options := range c.Networks {
			if named := options != nil && slices.Contains(options.Aliases, host); named != (network == "internal") {
				t.Errorf("%s: the admin listener at %s is in the network %s: %t", name, host, network, named)
			}
		}
	}
}

// TestImagesAreExact: a build of today and one of next month have the same base.
func TestImagesAreExact(t *testing.T) {
	dockerfile, err := os.ReadFile(filepath.Join(folder, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	images := []string{load(t).Services["rabbitmq"].Image}
	for line := range strings.Lines(string(dockerfile)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "FROM" && words[1] != "scratch" {
			images = append(images, words[1])
		}
	}
	if len(images) < 2 {
		t.Errorf("found only the images %v", images)
	}
	for _, image := range images {
		if !regexp.MustCompile(`^[a-z]+:[0-9]+\.[0-9]+\.[0-9]+(-[a-z]+)?(@sha256:[0-9a-f]{64})?$`).MatchString(image) {
			t.Errorf("the image %s is not exact", image)
		}
	}
}

// TestLimits checks that no container can use up the machine, and that its program knows its limit.
func TestLimits(t *testing.T) {
	project := load(t)
	for name, c := range project.Services {
		if c.Deploy == nil || c.Deploy.Resources.Limits == nil {
			t.Errorf("%s has no limits", name)
			continue
		}
		limits := c.Deploy.Resources.Limits
		if limits.Pids == 0 || limits.MemoryBytes == 0 {
			t.Errorf("%s: limits %+v", name, limits)
		}
		if name == "rabbitmq" {
			continue
		}
		var gib int64
		if _, err := fmt.Sscanf(*c.Environment["GOMEMLIMIT"], "%dGiB", &gib); err != nil || gib<<30 > int64(limits.MemoryBytes)*9/10 {
			t.Errorf("%s: GOMEMLIMIT=%s, limit %d", name, *c.Environment["GOMEMLIMIT"], limits.MemoryBytes)
		}
	}
	conf, err := os.ReadFile(filepath.Join(folder, "rabbitmq", "rabbitmq.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(conf), "\ntotal_memory_available_override_value = 2GB\n") ||
		project.Services["rabbitmq"].Deploy.Resources.Limits.MemoryBytes != 2<<30 {
		t.Error("rabbitmq.conf and the container differ about the broker's memory")
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
