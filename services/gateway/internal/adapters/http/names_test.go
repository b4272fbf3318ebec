package http

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/warren/pkg/messaging"
)

const pkgDir = "../../../../../pkg"

var (
	// brokerNames have a meaning in AMQP 0-9-1 or RabbitMQ.
	brokerNames = []string{
		"user_id", "reply_to", "correlation_id", "message_id", "app_id", "type", "expiration", "delivery_mode", "priority",
		"timestamp", "content_type", "content_encoding", "cluster_id", "headers", "routing_key", "exchange", "queue",
		"mandatory", "CC", "BCC", "x-death", "x-first-death-queue", "x-first-death-reason", "x-first-death-exchange",
		"x-last-death-queue", "x-delivery-count", "x-acquired-count", "x-opt-delivery-count", "x-received-from",
		"x-dead-letter-exchange", "x-dead-letter-routing-key", "x-expires", "x-message-ttl", "x-queue-type",
	}
	// proxyNames tell other software, such as proxies and tracers, about a caller or a trace.
	proxyNames = []string{
		"X-Correlation-Id", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-User", "Forwarded", "X-Real-Ip",
		"X-User", "X-User-Id", "X-Remote-User", "Remote-User", "X-Identity", "X-Subject", "X-Scopes", "X-Authenticated-User",
		"X-Http-Method-Override", "X-Original-Url", "X-Rewrite-Url", "X-Timeout", "Grpc-Timeout",
		"traceparent", "tracestate", "baggage", "b3", "uber-trace-id",
	}
)

// internalNames returns every name that has a meaning between services or to the broker. Those of the protocol are read from
// the source and from PROTOCOL.md, so that a new one cannot be forgotten.
func internalNames(t *testing.T) []string {
	t.Helper()
	names := slices.Concat(wireConstants(t), protocolNames(t), brokerNames, proxyNames,
		[]string{"param.id", "query.keep", "header.Accept", "header.Idempotency-Key"})
	for field := range reflect.TypeFor[messaging.Message]().Fields() {
		names = append(names, field.Name, strings.ToLower(field.Name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var wireConstantName = regexp.MustCompile(`^(header|identity|request|type)[A-Z]|Header$`)

// wireConstants returns the values of the constants below rpc and messaging that name what is on the wire.
func wireConstants(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, file := range slices.Concat(goFiles(t, "rpc"), goFiles(t, "messaging")) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
				names = append(names, stringConstants(t, spec)...)
			}
			return true
		})
	}
	wantAll(t, "the source", names, "rpc-identity", "rpc-deadline", "rpc-status", "subject", "token-id", "rpc.request", "param.",
		"dead-letter-queue", "x-delivery-count")
	return names
}

// goFiles returns the Go files below a folder of pkg, without those of tests.
func goFiles(t *testing.T, folder string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(pkgDir, folder), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasSuffix(path, "test"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func stringConstants(t *testing.T, spec *ast.ValueSpec) []string {
	t.Helper()
	var names []string
	for i, name := range spec.Names {
		literal, ok := spec.Values[i].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		if wireConstantName.MatchString(name.Name) || strings.HasPrefix(value, "rpc-") {
			names = append(names, value)
		}
	}
	return names
}

// protocolRow matches a row of a table that begins with names: "| `timestamp`, `content_type` | …".
var protocolRow = regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|")

// protocolNames returns the names that the tables of PROTOCOL.md explain.
func protocolNames(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(pkgDir, "rpc", "protocol", "PROTOCOL.md"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range protocolRow.FindAllStringSubmatch(string(page), -1) {
		for name := range strings.SplitSeq(row[1], ",") {
			names = append(names, strings.Trim(strings.TrimSpace(name), "`"))
		}
	}
	wantAll(t, "PROTOCOL.md", names, "rpc-identity", "rpc-request", "param.NAME", "rpc-status", "user_id", "reply_to", "expires-at", "detail")
	return names
}

// wantAll fails the test if names can no longer be read from a source because its form has changed.
func wantAll(t *testing.T, source string, names []string, want ...string) {
	t.Helper()
	for _, name := range want {
		if !slices.Contains(names, name) {
			t.Fatalf("%s: %s was not found in %q", source, name, names)
		}
	}
}
