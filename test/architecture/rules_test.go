package architecture

import (
	"path"
	"slices"
	"strings"
)

// rule is one wall between packages. No rule names a service, so that a new service needs no new rule.
type rule struct {
	text   string // what holds, and what to do instead
	broken func(i imported) bool
}

// imported is one import of one file.
type imported struct {
	folder string // of the file, below the repository's folder: "services/orders/internal/app"
	test   bool   // the file's name ends in _test.go
	path   string // what is imported; packages of this repository as a folder: "pkg/rpc"
	kind   kind
}

type kind int

const (
	standard kind = iota // the standard library
	ours                 // this repository
	foreign              // everything else
)

var rules = []rule{
	{"services know nothing of each other: call the other one over rpc", func(i imported) bool {
		from, to := serviceOf(i.folder), serviceOf(i.path)
		return from != "" && i.kind == ours && to != "" && from != to
	}},
	{"the domain imports the standard library and its own domain, and does no I/O", func(i imported) bool {
		return !i.test && isLayer(i.folder, "domain") && !isOwnLayer(i, "domain") &&
			(i.kind != standard || slices.Contains(inputOutput, i.path))
	}},
	{"use cases import the standard library, their own domain, pkg/rpc, uuid and x/sync: declare a port", func(i imported) bool {
		return !i.test && isLayer(i.folder, "app") && !isOwnLayer(i, "domain") && !isOwnLayer(i, "app") && !mayUseInApp(i)
	}},

	{"pkg knows no service, command or test tree", func(i imported) bool {
		return isBelow(i.folder, "pkg") && i.kind == ours && !isBelow(i.path, "pkg")
	}},
	{"a service knows no command or test tree", func(i imported) bool {
		return isBelow(i.folder, "services") && i.kind == ours && !isBelow(i.path, "pkg") && !isBelow(i.path, "services")
	}},
	{"a command knows nothing of the test tree", func(i imported) bool {
		return isBelow(i.folder, "cmd") && i.kind == ours && isBelow(i.path, "test")
	}},
	// cmd/warren is left out: its demo starts a private RabbitMQ node.
	{"production code uses no test rig: a rig is a package whose name ends in test, and is imported by tests", func(i imported) bool {
		production := isBelow(i.folder, "pkg") || serviceOf(i.folder) != ""
		return production && !i.test && !isRig(i.folder) && (i.kind == ours && isRig(i.path) || i.path == "testing")
	}},

	// test/bench is left out: it measures the gateway, which is part of every system.
	{"tests that need a service are in test/<service>, and go with it", func(i imported) bool {
		needs := serviceOf(i.path)
		return i.kind == ours && needs != "" && isBelow(i.folder, "test") && !isBelow(i.folder, "test/"+path.Base(needs), "test/bench")
	}},
	{"trees of tests share test/internal, and nothing of each other", func(i imported) bool {
		return i.kind == ours && isBelow(i.folder, "test") && isBelow(i.path, "test") && !isBelow(i.path, "test/internal", testTreeOf(i.folder))
	}},

	{"the port pkg/messaging imports the standard library, and what it hides in internal", func(i imported) bool {
		return !i.test && i.folder == "pkg/messaging" && i.kind != standard && !isBelow(i.path, "pkg/messaging/internal")
	}},
	{"messaging knows nothing of what is built on it", func(i imported) bool {
		return isBelow(i.folder, "pkg/messaging") && i.kind == ours && (isBelow(i.path, "pkg/rpc") || isBelow(i.path, "pkg/service"))
	}},
	{"rpc uses the port pkg/messaging and no adapter, and knows nothing of what is built on it", func(i imported) bool {
		adapter := strings.HasPrefix(i.path, "pkg/messaging/") && !isBelow(i.path, "pkg/messaging/driver", "pkg/messaging/deadletter")
		return !i.test && isBelow(i.folder, "pkg/rpc") && i.kind == ours && (adapter || isBelow(i.path, "pkg/service"))
	}},

	{"fx wires in services/<name>/<name>.go, cmd and pkg/service", func(i imported) bool {
		return isBelow(i.path, "go.uber.org/fx", "go.uber.org/dig") &&
			!isServiceRoot(i.folder) && !isBelow(i.folder, "cmd", "pkg/service", "test/bench/cmd") && !isServiceCommand(i.folder)
	}},
	{"AMQP stays in pkg/messaging/rabbitmq: use the port, pkg/messaging", func(i imported) bool {
		return isBelow(i.path, "github.com/rabbitmq/amqp091-go") && !isBelow(i.folder, "pkg/messaging/rabbitmq", "test/bench/cmd")
	}},
	{"echo stays in an adapter named http", func(i imported) bool {
		return isBelow(i.path, "github.com/labstack/echo") && !isAdapter(i.folder, "http") && !isBelow(i.folder, "test/bench/cmd")
	}},
	// pkg/sqlite makes spans of statements, and an adapter named http those of requests.
	{"OpenTelemetry stays in pkg/telemetry, and its API where spans are made", func(i imported) bool {
		return !i.test && isBelow(i.path, "go.opentelemetry.io", "github.com/XSAM/otelsql") && !isRig(i.folder) &&
			!isBelow(i.folder, "pkg/telemetry", "pkg/service", "pkg/sqlite", "cmd/warren/internal/console") &&
			!isAdapter(i.folder, "http") && !isServiceRoot(i.folder)
	}},
	{"database drivers stay in their package of pkg", func(i imported) bool {
		return isBelow(i.path, "modernc.org/sqlite", "github.com/pressly/goose") && !isBelow(i.folder, "pkg/sqlite", "test")
	}},
	{"databases belong in a service's adapters", func(i imported) bool {
		return i.kind == ours && isBelow(i.path, "pkg/sqlite") && !isBelow(i.folder, "pkg/sqlite") &&
			!isServiceRoot(i.folder) && !isAdapter(i.folder, "")
	}},
}

// inputOutput are packages of the standard library that reach outside the process.
var inputOutput = []string{"database/sql", "log", "log/slog", "net", "net/http", "os", "os/exec"}

// mayUseInApp reports whether use cases may import a package besides those of their service.
func mayUseInApp(i imported) bool {
	switch i.kind {
	case standard:
		return i.path != "database/sql"
	case ours:
		return i.path == "pkg/rpc" // the vocabulary of calls: Request, Reply, Identity
	default:
		return isBelow(i.path, "github.com/google/uuid", "golang.org/x/sync")
	}
}

// isBelow reports whether path is one of folders or below one.
func isBelow(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return path == folder || strings.HasPrefix(path, folder+"/")
	})
}

// skeleton is a service, too: that which new ones are copied from.
const skeleton = "cmd/warren/internal/skeleton"

// serviceOf returns the folder of the service that a folder belongs to, or "".
func serviceOf(folder string) string {
	if isBelow(folder, skeleton) {
		return skeleton
	}
	rest, ok := strings.CutPrefix(folder, "services/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return "services/" + name
}

// testTreeOf returns the folder below test/ that a folder belongs to.
func testTreeOf(folder string) string {
	tree, _, _ := strings.Cut(strings.TrimPrefix(folder, "test/"), "/")
	return "test/" + tree
}

// inService returns the part of a folder below its service's, "" for that folder itself.
func inService(folder string) string {
	return strings.TrimPrefix(strings.TrimPrefix(folder, serviceOf(folder)), "/")
}

// isLayer reports whether a folder belongs to a layer of a service, "app" or "domain".
func isLayer(folder, layer string) bool {
	return serviceOf(folder) != "" && isBelow(inService(folder), "internal/"+layer)
}

// isOwnLayer reports whether a layer of the importing service is imported.
func isOwnLayer(i imported, layer string) bool {
	return i.kind == ours && isLayer(i.path, layer) && serviceOf(i.path) == serviceOf(i.folder)
}

func isServiceRoot(folder string) bool { return serviceOf(folder) != "" && inService(folder) == "" }

func isServiceCommand(folder string) bool {
	return serviceOf(folder) != "" && isBelow(inService(folder), "cmd")
}

// isAdapter reports whether a folder belongs to a service's adapter of that name, or to any if the name is empty.
func isAdapter(folder, name string) bool {
	adapters := "internal/adapters"
	if name != "" {
		adapters += "/" + name
	}
	return serviceOf(folder) != "" && isBelow(inService(folder), adapters)
}

// isRig reports whether a package of this repository exists for tests.
func isRig(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(name string) bool { return strings.HasSuffix(name, "test") })
}
