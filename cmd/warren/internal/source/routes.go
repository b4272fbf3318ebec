package source

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"

	"example.com/warren/cmd/warren/internal/change"
)

const (
	routesFile = "services/gateway/internal/adapters/http/routes.go"
	// version is the prefix of the group that routes are added to.
	version = "/v1"
	// maxLine is the length from which a route takes two lines.
	maxLine = 120
)

var (
	groupForm = regexp.MustCompile(`^(\w+) := \w+\.group\("(.*)"\)$`)
	routeForm = regexp.MustCompile(`(?s)^(\w+)\.([A-Z]+)\(\s*"([^"]*)",.*\bproxy\("([^"]+)"\)`)
	parameter = regexp.MustCompile(`:[^/]+`)
)

// Route is a line of the gateway's routes.go.
type Route struct {
	Method, Path string   // without the prefix of the group
	Queue        string   // e.g. "orders.get"
	Options      []string // Go expressions, e.g. "requireToken"
}

func (r Route) service() string {
	name, _, _ := strings.Cut(r.Queue, ".")
	return name
}

// pattern returns what the router compares: it ignores the names of parameters.
func (r Route) pattern(prefix string) string {
	return r.Method + " " + parameter.ReplaceAllString(prefix+r.Path, ":")
}

// statement is a route of the file, or with no method what declares a group of routes.
type statement struct {
	Route
	group, prefix string // the group's variable, and what its paths begin with
	first, after  int    // indexes of lines
}

// readRoutes returns the lines of routes.go, its routes and groups, and the index of the line after them.
func readRoutes(tree *change.Tree) (lines []string, statements []statement, end int, err error) {
	text, set, syntax, err := read(tree, routesFile)
	if err != nil {
		return nil, nil, 0, err
	}
	lines = strings.SplitAfter(text, "\n")
	var body *ast.BlockStmt
	for _, d := range syntax.Decls {
		if function, ok := d.(*ast.FuncDecl); ok && function.Name.Name == "routes" {
			body = function.Body
		}
	}
	if body == nil {
		return nil, nil, 0, fmt.Errorf("%s: there is no function routes", routesFile)
	}
	prefixes := map[string]string{}
	for _, node := range body.List {
		from, to := set.Position(node.Pos()), set.Position(node.End())
		code := text[from.Offset:to.Offset]
		s := statement{first: from.Line - 1, after: to.Line}
		declared, route := groupForm.FindStringSubmatch(code), routeForm.FindStringSubmatch(code)
		isRoute := false
		if route != nil {
			s.Route, s.group = Route{Method: route[2], Path: route[3], Queue: route[4]}, route[1]
			s.prefix, isRoute = prefixes[s.group]
		}
		switch {
		case declared != nil:
			s.group, s.prefix = declared[1], declared[2]
			prefixes[s.group] = s.prefix
		case !isRoute && strings.Contains(code, "proxy("):
			return nil, nil, 0, fmt.Errorf(`%s:%d: want a route of the form v1.GET("/path", proxy("service.method"), …)`, routesFile, from.Line)
		case !isRoute:
			continue
		}
		statements = append(statements, s)
	}
	return lines, statements, set.Position(body.Rbrace).Line - 1, nil
}

// AddRoutes adds the routes of one service: below those that the service has, or else as a paragraph below all others.
func AddRoutes(tree *change.Tree, added ...Route) error {
	lines, statements, end, err := readRoutes(tree)
	if err != nil {
		return err
	}
	var last, own statement
	for _, s := range statements {
		for _, a := range added {
			if s.Method != "" && s.pattern(s.prefix) == a.pattern(version) {
				return change.Refuse("%s:%d: %s %s%s is already the route of %s", routesFile, s.first+1, s.Method, s.prefix, s.Path, s.Queue)
			}
		}
		if s.prefix == version {
			last = s
			if s.service() == added[0].service() {
				own = s
			}
		}
	}
	if last.group == "" {
		return fmt.Errorf("%s: there is no v1 := api.group(%q)", routesFile, version)
	}
	var text []string
	at := own.after
	if at == 0 {
		for at = last.after; at < end && lines[at] != "\n"; {
			at++
		}
		text = []string{"\n"}
	}
	for _, a := range added {
		call, options := fmt.Sprintf("\t%s.%s(%q, proxy(%q),", last.group, a.Method, a.Path, a.Queue), strings.Join(a.Options, ", ")
		separator := " "
		if len(call)+len(options) > maxLine {
			separator = "\n\t\t"
		}
		text = append(text, call+separator+options+")\n")
	}
	return write(tree, routesFile, strings.Join(slices.Insert(lines, at, text...), ""))
}

// RemoveRoutes removes the routes of the queues that gone reports, with the comments above them.
func RemoveRoutes(tree *change.Tree, gone func(queue string) bool) error {
	lines, statements, _, err := readRoutes(tree)
	if err != nil {
		return err
	}
	for _, s := range slices.Backward(statements) {
		if s.Method == "" || !gone(s.Queue) {
			continue
		}
		for strings.HasPrefix(lines[s.first-1], "\t//") {
			s.first--
		}
		if lines[s.first-1] == "\n" && lines[s.after] == "}\n" {
			s.first-- // format leaves blank lines at the end of a block
		}
		lines = slices.Delete(lines, s.first, s.after)
	}
	return write(tree, routesFile, strings.Join(lines, ""))
}

// UsualScope returns the scope that the service's routes require for reading or writing, or "" if none has it.
func UsualScope(tree *change.Tree, service, method string) (string, error) {
	name := service + ":write"
	if method == "GET" {
		name = service + ":read"
	}
	lines, statements, _, err := readRoutes(tree)
	for _, s := range statements {
		if s.service() == service && strings.Contains(strings.Join(lines[s.first:s.after], ""), fmt.Sprintf("scope(%q)", name)) {
			return name, nil
		}
	}
	return "", err
}
