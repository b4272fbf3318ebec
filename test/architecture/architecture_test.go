// Package architecture holds the walls between packages: which may import which. It reads the import lines of all Go files,
// whatever their build constraints, so that it needs no module to be resolved.
package architecture

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const root = "../.."

func TestRepository(t *testing.T) {
	for _, violation := range check(t, os.DirFS(root), modulePrefix(t)) {
		t.Error(violation)
	}
}

// modulePrefix returns what the module paths of the repository begin with, e.g. "example.com/warren/".
func modulePrefix(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile(root + "/pkg/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if module, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSuffix(strings.TrimSpace(module), "pkg")
		}
	}
	t.Fatal("pkg/go.mod names no module")
	return ""
}

// check returns a line for each import that breaks a rule.
func check(t *testing.T, repository fs.FS, prefix string) []string {
	t.Helper()
	var violations []string
	files := 0
	err := fs.WalkDir(repository, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && isLeftOut(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		files++
		text, err := fs.ReadFile(repository, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			importPath, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			i := newImported(name, importPath, prefix)
			for _, rule := range rules {
				if rule.broken(i) {
					violations = append(violations, fmt.Sprintf("%s imports %s: %s", name, importPath, rule.text))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatal("no Go file found")
	}
	return violations
}

// isLeftOut reports whether a folder has no code of the project.
func isLeftOut(folder string) bool {
	return folder == "testdata" || folder == "node_modules" || strings.HasPrefix(folder, ".") && folder != "."
}

func newImported(file, importPath, prefix string) imported {
	i := imported{folder: path.Dir(file), test: strings.HasSuffix(file, "_test.go"), path: importPath}
	first, _, _ := strings.Cut(importPath, "/")
	switch rest, isOurs := strings.CutPrefix(importPath, prefix); {
	case isOurs:
		i.kind, i.path = ours, rest
	case strings.Contains(first, "."):
		i.kind = foreign
	}
	return i
}

// TestRules has for each rule files that break it, beside the nearest that do not.
func TestRules(t *testing.T) {
	const prefix = "example.com/warren/"
	tests := map[string]struct {
		rule      string // part of its text
		file      string
		forbidden []string
		allowed   []string
	}{
		"another service": {
			rule: "services know nothing", file: "services/stock/internal/adapters/rpc/a.go",
			forbidden: []string{prefix + "services/mail", prefix + "services/stocks/internal/app"},
			allowed:   []string{prefix + "services/stock/internal/app", prefix + "pkg/rpc", "time"},
		},
		"another service, in a test": {
			rule: "services know nothing", file: "services/stock/stock_test.go",
			forbidden: []string{prefix + "services/mail"},
			allowed:   []string{prefix + "services/stock"},
		},
		"another service, in the skeleton": {
			rule: "services know nothing", file: "cmd/warren/internal/skeleton/skeleton.go",
			forbidden: []string{prefix + "services/mail"},
			allowed:   []string{prefix + "cmd/warren/internal/skeleton/internal/app", prefix + "pkg/service"},
		},
		"the skeleton's domain": {
			rule: "the domain imports", file: "cmd/warren/internal/skeleton/internal/domain/a.go",
			forbidden: []string{prefix + "cmd/warren/internal/skeleton/internal/app", "os"},
			allowed:   []string{prefix + "cmd/warren/internal/skeleton/internal/domain/money"},
		},
		"domain": {
			rule: "the domain imports", file: "services/stock/internal/domain/money/a.go",
			forbidden: []string{"github.com/google/uuid", "net/http", "database/sql", prefix + "pkg/rpc", prefix + "services/stock/internal/app"},
			allowed:   []string{"time", "errors", prefix + "services/stock/internal/domain"},
		},
		"use cases": {
			rule: "use cases import", file: "services/stock/internal/app/a.go",
			forbidden: []string{
				"database/sql", "go.uber.org/zap", prefix + "pkg/messaging", prefix + "pkg/service",
				prefix + "services/stock/internal/adapters/sqlite",
			},
			allowed: []string{
				"time", "log/slog", prefix + "pkg/rpc", "github.com/google/uuid", "golang.org/x/sync/singleflight",
				prefix + "services/stock/internal/domain", prefix + "services/stock/internal/app/pricing",
			},
		},
		"pkg": {
			rule: "pkg knows no service", file: "pkg/rpc/a_test.go",
			forbidden: []string{prefix + "services/mail", prefix + "cmd/warren/internal/dead", prefix + "test/internal/system"},
			allowed:   []string{prefix + "pkg/messaging/inmem"},
		},
		"service": {
			rule: "a service knows no command", file: "services/stock/stock_test.go",
			forbidden: []string{prefix + "cmd/warren/internal/demo", prefix + "test/internal/system"},
			allowed:   []string{prefix + "pkg/service/servicetest", prefix + "services/stock"},
		},
		"command": {
			rule: "a command knows nothing", file: "cmd/warren/internal/demo/a_test.go",
			forbidden: []string{prefix + "test/internal/system"},
			allowed:   []string{prefix + "pkg/messaging/rabbitmq/rabbitmqtest", prefix + "services/mail"},
		},
		"test rig in production": {
			rule: "production code uses no test rig", file: "pkg/rpc/a.go",
			forbidden: []string{"testing", prefix + "pkg/awaittest", prefix + "pkg/service/servicetest"},
			allowed:   []string{prefix + "pkg/messaging", "testing/fstest"},
		},
		"test rig in a rig": {
			rule: "production code uses no test rig", file: "pkg/service/servicetest/a.go",
			allowed: []string{"testing", prefix + "pkg/awaittest"},
		},
		"test rig in a service": {
			rule: "production code uses no test rig", file: "services/stock/internal/app/a.go",
			forbidden: []string{prefix + "pkg/awaittest"},
		},
		"shared tests": {
			rule: "tests that need a service", file: "test/e2e/a_test.go",
			forbidden: []string{prefix + "services/stock"},
			allowed:   []string{prefix + "test/internal/system", prefix + "pkg/rpc"},
		},
		"tests of a service": {
			rule: "tests that need a service", file: "test/stock/e2e/a_test.go",
			forbidden: []string{prefix + "services/mail"},
			allowed:   []string{prefix + "services/stock", prefix + "test/internal/system"},
		},
		"tests that another tree of tests uses": {
			rule: "trees of tests share", file: "test/e2e/a_test.go",
			forbidden: []string{prefix + "test/stock/rig", prefix + "test/bench/internal/load"},
			allowed:   []string{prefix + "test/internal/system", prefix + "test/e2e/rig"},
		},
		"port": {
			rule: "the port pkg/messaging", file: "pkg/messaging/a.go",
			forbidden: []string{"github.com/google/uuid", prefix + "pkg/messaging/inmem"},
			allowed:   []string{"context", prefix + "pkg/messaging/internal/seam"},
		},
		"messaging": {
			rule: "messaging knows nothing", file: "pkg/messaging/inmem/a_test.go",
			forbidden: []string{prefix + "pkg/rpc", prefix + "pkg/service/servicetest"},
			allowed:   []string{prefix + "pkg/messaging"},
		},
		"rpc": {
			rule: "rpc uses the port", file: "pkg/rpc/internal/binding/a.go",
			forbidden: []string{prefix + "pkg/messaging/rabbitmq", prefix + "pkg/service"},
			allowed:   []string{prefix + "pkg/messaging", prefix + "pkg/messaging/driver", prefix + "pkg/messaging/deadletter"},
		},
		"rpc's tests": {
			rule: "rpc uses the port", file: "pkg/rpc/a_test.go",
			allowed: []string{prefix + "pkg/messaging/inmem"},
		},
		"fx": {
			rule: "fx wires", file: "services/stock/internal/app/a_test.go",
			forbidden: []string{"go.uber.org/fx", "go.uber.org/dig"},
		},
		"fx where it belongs": {
			rule: "fx wires", file: "services/stock/stock.go", allowed: []string{"go.uber.org/fx", "go.uber.org/fx/fxevent"},
		},
		"AMQP": {
			rule: "AMQP stays", file: "services/stock/internal/adapters/rpc/a.go",
			forbidden: []string{"github.com/rabbitmq/amqp091-go"},
		},
		"AMQP where it belongs": {
			rule: "AMQP stays", file: "pkg/messaging/rabbitmq/a.go", allowed: []string{"github.com/rabbitmq/amqp091-go"},
		},
		"echo": {
			rule: "echo stays", file: "services/stock/internal/adapters/rest/a.go",
			forbidden: []string{"github.com/labstack/echo/v4"},
		},
		"echo where it belongs": {
			rule: "echo stays", file: "services/stock/internal/adapters/http/a.go", allowed: []string{"github.com/labstack/echo/v4/middleware"},
		},
		"OpenTelemetry": {
			rule: "OpenTelemetry stays", file: "services/stock/internal/adapters/rpc/a.go",
			forbidden: []string{"go.opentelemetry.io/otel/trace", "github.com/XSAM/otelsql"},
		},
		"OpenTelemetry where it belongs": {
			rule: "OpenTelemetry stays", file: "services/stock/internal/adapters/http/a.go", allowed: []string{"go.opentelemetry.io/otel/trace"},
		},
		"database driver": {
			rule: "database drivers stay", file: "services/stock/internal/adapters/sqlite/a.go",
			forbidden: []string{"modernc.org/sqlite", "github.com/pressly/goose/v3"},
			allowed:   []string{"database/sql", prefix + "pkg/sqlite"},
		},
		"database": {
			rule: "databases belong", file: "services/stock/internal/app/a.go", forbidden: []string{prefix + "pkg/sqlite"},
		},
		"database where it belongs": {
			rule: "databases belong", file: "services/stock/internal/adapters/sqlite/a.go", allowed: []string{prefix + "pkg/sqlite"},
		},
	}
	broken := map[string]bool{}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, importPath := range slices.Concat(test.forbidden, test.allowed) {
				source := fmt.Sprintf("package a\n\nimport _ %q\n", importPath)
				violations := check(t, fstest.MapFS{test.file: {Data: []byte(source)}}, prefix)
				found := slices.ContainsFunc(violations, func(v string) bool { return strings.Contains(v, ": "+test.rule) })
				if want := slices.Contains(test.forbidden, importPath); found != want {
					t.Errorf("%s imports %s: violation %t, want %t: %q", test.file, importPath, found, want, violations)
				}
				if found {
					broken[test.rule] = true
				}
			}
		})
	}
	for _, rule := range rules {
		covered := false
		for text := range broken {
			covered = covered || strings.HasPrefix(rule.text, text)
		}
		if !covered {
			t.Errorf("no file breaks the rule %q", rule.text)
		}
	}
}
