// Package create has the commands that make something new.
package create

import (
	"fmt"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gertd/go-pluralize"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/skeleton"
	"example.com/warren/pkg/service"
)

// Names are the names in a new service. They consist of lower-case words and hyphens.
type Names struct {
	Service   string
	Entity    string // what the service keeps, e.g. "invoice"
	Plural    string // of Entity
	AdminAddr string
}

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

	// reserved are folders that the go command treats differently, and what RabbitMQ and the compose files call their own.
	reserved = []string{"documentation", "internal", "main", "testdata", "vendor", "amq", "gateway-admin", "identity-keys", "rabbitmq"}
)

// maxNameLength is such that no line of a service is longer than the linter allows.
const maxNameLength = 30

// ParseNames returns the names of a new service in tree. The default of entity is the singular of serviceName, and that of
// plural the plural of entity. Port 0 stands for one that no other service has by default.
func ParseNames(tree *change.Tree, serviceName, entity, plural string, port uint16) (Names, error) {
	if err := checkName("service", serviceName); err != nil {
		return Names{}, err
	}
	english := pluralize.NewClient()
	if entity == "" {
		entity = serviceName
		if singular := english.Singular(serviceName); singular != "" && english.Plural(singular) == serviceName {
			entity = singular
		}
	}
	if err := checkName("entity", entity); err != nil {
		return Names{}, err
	}
	if plural == "" {
		plural = english.Plural(entity)
	}
	if err := checkName("plural", plural); err != nil {
		return Names{}, err
	}
	if plural == entity {
		return Names{}, change.Refuse("the plural of %s has to differ from it: set --plural", entity)
	}
	if strings.HasPrefix(plural, "sqlite-") || strings.HasPrefix(plural, "goose") {
		return Names{}, change.Refuse("a table can't be called %s, which SQLite or goose would take for its own: set --plural", plural)
	}
	if err := checkService(tree, serviceName); err != nil {
		return Names{}, err
	}
	ports, err := adminPorts(tree)
	if err != nil {
		return Names{}, err
	}
	switch {
	case port == 0:
		port = slices.Max(append(ports, gatewayPort)) + 1
	case slices.Contains(ports, port):
		return Names{}, change.Refuse("port %d is that of another service", port)
	}
	n := Names{Service: serviceName, Entity: entity, Plural: plural, AdminAddr: fmt.Sprintf("127.0.0.1:%d", port)}
	_, err = Files(tree, n)
	return n, err
}

func checkName(kind, name string) error {
	if !namePattern.MatchString(name) || len(name) > maxNameLength {
		return change.Refuse("%s %q: a name has up to %d lower-case letters, digits and single hyphens, and starts with a letter",
			kind, name, maxNameLength)
	}
	return nil
}

// packageName returns the name of a service's Go package.
func packageName(service string) string { return strings.ReplaceAll(service, "-", "") }

// settingsPrefix returns what the names of a service's environment variables begin with.
func settingsPrefix(service string) string {
	return strings.ToUpper(strings.ReplaceAll(service, "-", "_")) + "_"
}

// gatewayPort is the first admin port.
const gatewayPort = 9090

var adminAddr = regexp.MustCompile(`AdminAddr:\s*"127\.0\.0\.1:(\d+)"`)

// checkService returns an error if the name of a service is taken.
func checkService(tree *change.Tree, name string) error {
	taken := func(by string) error { return change.Refuse("service %q: the name is taken by %s", name, by) }
	joined := packageName(name)
	services, err := tree.Services()
	if err != nil {
		return err
	}
	for _, other := range services {
		if packageName(other) == joined {
			return taken("services/" + other)
		}
	}
	switch {
	case token.IsKeyword(joined) || types.Universe.Lookup(joined) != nil:
		return taken("Go")
	case slices.Contains(reserved, name):
		return taken("the Go tools, RabbitMQ or the containers")
	case tree.Exists("test/" + name):
		return taken("the folder test/" + name)
	case tree.Exists("cmd/" + name):
		return taken("the program cmd/" + name)
	}
	list, err := service.Settings(skeleton.New())
	if err != nil {
		return err
	}
	for _, setting := range list {
		if strings.HasPrefix(setting.Variable, settingsPrefix(name)) {
			return taken("the setting " + setting.Variable)
		}
	}
	return nil
}

// adminPorts returns the ports of the services' admin listeners.
func adminPorts(tree *change.Tree) ([]uint16, error) {
	files, err := filepath.Glob(filepath.Join(tree.Root, "services", "*", "*.go"))
	if err != nil {
		return nil, err
	}
	var ports []uint16
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for _, match := range adminAddr.FindAllSubmatch(text, -1) {
			port, err := strconv.ParseUint(string(match[1]), 10, 16)
			if err != nil {
				return nil, fmt.Errorf("read the admin address in %s: %w", name, err)
			}
			ports = append(ports, uint16(port))
		}
	}
	return ports, nil
}
