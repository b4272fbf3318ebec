package create

import (
	"context"
	"errors"
	"fmt"
	"go/token"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/ettle/strcase"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/source"
)

type methodCommand struct {
	change.Flags

	Method   string   `arg:"" help:"The method, such as billing.refund."`
	Route    string   `placeholder:"'POST /invoices/:id/refund'" help:"HTTP method, and path below /v1. Its parameters are fields of the input."`
	Input    []string `placeholder:"reason:string,amount:int" help:"More fields, in the body; with GET and DELETE in the query."`
	Scope    string   `placeholder:"billing:write" help:"Scope that a token must have. Default: billing:read for GET, else billing:write, if a route of the service has it."`
	Public   bool     `help:"Let requests in without a token."`
	Internal bool     `help:"Add no route: only other services call the method."`
}

// Help follows the flags of warren new method --help.
func (*methodCommand) Help() string {
	return `It adds a use case that replies with status 501 until you write it, its handler with the types of input and output, a test,
the registration, and the route. The types of input fields are string, int, float, bool, time, []string and []int.

Example:
  warren new method billing.refund --route 'POST /invoices/:id/refund' --input reason:string,amount:int`
}

// maxMethod is such that no line is longer than the linter allows.
const maxMethod = 50

var (
	methodForm    = regexp.MustCompile(`^([a-z][a-z0-9-]*)\.([a-z][A-Za-z0-9]{0,29})$`)
	routeForm     = regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) ((?:/(?:[\w.~-]+|:[A-Za-z]\w*))+)$`)
	parameterForm = regexp.MustCompile(`:\w+`)
	inputForm     = regexp.MustCompile(`^([A-Za-z]\w*):(string|int|float|bool|time|\[\]string|\[\]int)$`)
	scopeForm     = regexp.MustCompile(`^[a-z][a-z0-9-]*(:[a-z][a-z0-9-]*)+$`)
)

// Run adds the method.
func (c *methodCommand) Run(ctx context.Context, k *kong.Context) error {
	m, err := c.parse()
	if err != nil {
		return err
	}
	files := source.MethodFiles(c.Method)
	next := []string{
		"edit " + files[0] + " # the use case",
		"edit " + files[2] + " # what it replies",
		fmt.Sprintf("make lint test PACKAGES=./services/%s/...", m.Service),
	}
	if c.Scope != "" {
		next = append(next, "edit services/access-control/demo.go # users with the scope "+c.Scope)
	}
	if !c.Internal {
		next = append(next, fmt.Sprintf("make demo # %s replies with status 501 until then", strings.Replace(c.Route, " ", " /v1", 1)))
	}
	return c.Flags.Run(ctx, k.Stdout, func(ctx context.Context, tree *change.Tree) error { return c.add(ctx, tree, m) }, next...)
}

// parse checks what can be checked without the checkout.
func (c *methodCommand) parse() (*method, error) {
	name := methodForm.FindStringSubmatch(c.Method)
	switch {
	case name == nil || len(c.Method) > maxMethod:
		return nil, change.Refuse("method %q: want a service and a name in camel case, such as billing.refund, and no more than %d letters",
			c.Method, maxMethod)
	case token.IsKeyword(name[2]):
		return nil, change.Refuse("method %q: %s is a keyword of Go", c.Method, name[2])
	case c.Internal && (c.Route != "" || c.Scope != "" || c.Public):
		return nil, change.Refuse("an internal method has no route: leave out --internal, or --route, --scope and --public")
	case !c.Internal && c.Route == "":
		return nil, change.Refuse("set --route, such as --route 'POST /%s/:id/%s', or --internal", name[1], strcase.ToKebab(name[2]))
	case !c.Internal && !routeForm.MatchString(c.Route):
		return nil, change.Refuse("route %q: want GET, POST, PUT, PATCH or DELETE and a path, such as 'POST /invoices/:id/refund'", c.Route)
	case strings.Contains(c.Route+"/", " /v1/"):
		return nil, change.Refuse("route %q: leave out /v1, which all routes begin with", c.Route)
	case c.Public && c.Scope != "":
		return nil, change.Refuse("a public route takes requests without a token, and so without a scope: leave out --public or --scope")
	case c.Scope != "" && !scopeForm.MatchString(c.Scope):
		return nil, change.Refuse("scope %q: want a form such as billing:write", c.Scope)
	}
	m := &method{Service: name[1], Queue: c.Method, Name: goName(name[2], strcase.ToGoCamel), Type: goName(name[2], strcase.ToGoPascal)}
	for _, parameter := range parameterForm.FindAllString(c.Route, -1) {
		m.addField("param", parameter[1:], "string")
	}
	for _, input := range c.Input {
		parts := inputForm.FindStringSubmatch(input)
		if parts == nil {
			return nil, change.Refuse("input %q: want a name and string, int, float, bool, time, []string or []int, such as reason:string", input)
		}
		m.addField(c.inputFrom(), strcase.ToSnake(parts[1]), parts[2])
	}
	for i, f := range m.Fields {
		if slices.ContainsFunc(m.Fields[:i], func(other field) bool { return other.Name == f.Name }) {
			return nil, change.Refuse("the input has two fields %s", f.Name)
		}
	}
	return m, nil
}

// inputFrom returns where the fields of --input come from.
func (c *methodCommand) inputFrom() string {
	if strings.HasPrefix(c.Route, "GET ") || strings.HasPrefix(c.Route, "DELETE ") {
		return "query"
	}
	return "json"
}

// add adds the method to the tree, and runs its test.
func (c *methodCommand) add(ctx context.Context, tree *change.Tree, m *method) (err error) {
	if m.Methods, err = source.ReadMethods(tree, m.Service); err != nil {
		return err
	}
	if at := m.Registered(m.Queue); at != "" {
		return change.Refuse("%s exists already: %s", m.Queue, at)
	}
	if at := m.Declared(m.Name, m.Type); at != "" {
		return change.Refuse("%s can't be added, because a name is taken: %s", m.Queue, at)
	}
	m.Module, m.AsCaller = tree.Module, m.HasCaller && !c.Public
	for i, name := range source.MethodFiles(m.Queue) {
		if tree.Exists(name) {
			return change.Refuse("%s can't be added, because there is %s", m.Queue, name)
		}
		text, err := m.text(methodTexts[i])
		if err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
		if err := tree.Write(name, text); err != nil {
			return err
		}
	}
	if err := m.Register(m.Queue, m.Name, m.AsCaller); err != nil {
		return err
	}
	if !c.Internal {
		if err := c.addRoute(tree, m); err != nil {
			return err
		}
	}
	folder := "services/" + m.Service
	if err := tree.Go(ctx, folder, "vet", "./..."); err != nil {
		return err
	}
	return tree.Go(ctx, folder, "test", "-run", "^Test"+m.Type+"$", "./internal/adapters/rpc")
}

func (c *methodCommand) addRoute(tree *change.Tree, m *method) (err error) {
	method, path, _ := strings.Cut(c.Route, " ")
	options, required := []string{"public"}, c.Scope
	if !c.Public {
		options = []string{"requireToken"}
		if required == "" {
			required, err = source.UsualScope(tree, m.Service, method)
		}
		if required != "" {
			options = append(options, scope(required))
		}
	}
	if err == nil && c.inputFrom() == "json" {
		limit := "maxBody(4<<10)"
		if m.Body() != "" {
			limit = "maxBody(64<<10)"
		}
		options = append(options, limit)
	}
	return errors.Join(err, source.AddRoutes(tree, source.Route{Method: method, Path: path, Queue: m.Queue, Options: options}))
}
