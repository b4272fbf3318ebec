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

// Names are the names in a new service: lower-case words, joined by hyphens.
type Names struct {
	Service   string
	Entity    string // what the service keeps, e.g. "invoice"
	Plural    string // of Entity
	AdminAddr string
}

// ParseNames returns the names of a new service in tree. The default of entity is the singular of serviceName, and that of
// plural is the plural of entity. Port 0 stands for one that no other service has by default.
func ParseNames(tree *change.Tree, serviceName, entity, plural string, port uint16) (Names, error) {
	english := pluralize.NewClient()
	if entity == "" {
		if entity = english.Singular(serviceName); english.Plural(entity) != serviceName {
			entity = serviceName
		}
	}
	if plural == "" {
		plural = english.Plural(entity)
	}
	for _, name := range []string{serviceName, entity, plural} {
		if !namePattern.MatchString(name) || len(name) > maxNameLength {
			return Names{}, change.Refuse("%q is no name: up to %d lower-case letters, digits and single hyphens, of which the first is a letter",
				name, maxNameLength)
		}
	}
	if plural == entity {
		return Names{}, change.Refuse("the plural of %s has to differ from it: set --plural", entity)
	}
	if strings.HasPrefix(plural, "sqlite-") || strings.HasPrefix(plural, "goose") {
		return Names{}, change.Refuse("SQLite or goose would take a table of %s for its own: set --plural", plural)
	}
	if tree.Exists("services/" + serviceName) {
		return Names{}, change.Refuse("there is a service %s already", serviceName)
	}
	reason, err := taken(tree, serviceName)
	if err != nil {
		return Names{}, err
	}
	if reason != "" {
		return Names{}, change.Refuse("no service can be called %s: %s", serviceName, reason)
	}
	ports, err := adminPorts(tree)
	if err != nil {
		return Names{}, err
	}
	if port == 0 {
		port = slices.Max(append(ports, gatewayPort)) + 1
	} else if slices.Contains(ports, port) {
		return Names{}, change.Refuse("port %d is that of another service", port)
	}
	return Names{Service: serviceName, Entity: entity, Plural: plural, AdminAddr: fmt.Sprintf("127.0.0.1:%d", port)}, nil
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// maxNameLength keeps the lines of a service as short as the linter wants them.
const maxNameLength = 30

// packageName returns the name of a service's Go package.
func packageName(name string) string { return strings.ReplaceAll(name, "-", "") }

// reserved are the names that tools know, by the reason why a service can't have them.
var reserved = map[string][]string{
	"the go command treats it specially":   {"documentation", "internal", "main", "testdata", "vendor"},
	"something in the containers has it":   {"gateway-admin", "identity-keys", "rabbitmq", "service"},
	"RabbitMQ owns the queues of the name": {"amq"},
}

// taken returns why a service can't have a name, or "" if it can.
func taken(tree *change.Tree, name string) (string, error) {
	goName := packageName(name)
	services, err := tree.Services()
	if err != nil {
		return "", err
	}
	for _, other := range services {
		if packageName(other) == goName {
			return "it is too similar to services/" + other, nil
		}
	}
	if token.IsKeyword(goName) || types.Universe.Lookup(goName) != nil {
		return "it means something in Go", nil
	}
	if strings.HasSuffix(goName, "test") {
		return "packages whose names end in test are for tests", nil
	}
	for reason, names := range reserved {
		if slices.Contains(names, name) {
			return reason, nil
		}
	}
	for _, folder := range []string{"cmd/" + name, "test/" + name} {
		if tree.Exists(folder) {
			return "there is a folder " + folder, nil
		}
	}
	list, err := service.Settings(skeleton.New())
	if err != nil {
		return "", err
	}
	for _, setting := range list {
		if strings.HasPrefix(setting.Variable, strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"_") {
			return "its settings would begin as " + setting.Variable + " does", nil
		}
	}
	return "", nil
}

// gatewayPort is the first admin port.
const gatewayPort = 9090

var adminAddr = regexp.MustCompile(`AdminAddr:\s*"127\.0\.0\.1:(\d+)"`)

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
