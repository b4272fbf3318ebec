package source

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"example.com/warren/cmd/warren/internal/change"
)

// Methods is how a service registers its methods.
type Methods struct {
	UseCases         string // the type of the use cases: "Orders"
	UseCasesReceiver string // of their methods: "s *Orders"
	HandlersReceiver string // of the handlers: "h handlers"
	Call             string // the use cases in a handler: "h.orders"
	HasCaller        bool   // asCaller wraps handlers that take the caller

	tree     *change.Tree
	rpc, app files  // of the adapter and of the use cases
	handlers string // the type of the handlers
}

// files are the texts of Go files by name.
type files map[string]string

func readFolder(tree *change.Tree, folder string) (files, error) {
	names, err := tree.Files()
	texts := files{}
	for _, name := range names {
		if path.Dir(name) == folder && path.Ext(name) == ".go" && err == nil {
			texts[name], _, _, err = read(tree, name)
		}
	}
	return texts, err
}

// find returns where a pattern first matches, as file and line, with the text of each group. Without a match, file is "".
func (f files) find(pattern string) (file string, line int, groups []string) {
	form := regexp.MustCompile("(?m)" + pattern)
	for _, file := range slices.Sorted(maps.Keys(f)) {
		if at := form.FindStringIndex(f[file]); at != nil {
			return file, 1 + strings.Count(f[file][:at[0]], "\n"), form.FindStringSubmatch(f[file])[1:]
		}
	}
	return "", 0, []string{"", "", ""}
}

// registration matches the line of Register for a queue, or for "" any. The groups are the server, the handlers and the handler.
func registration(queue string) string {
	const server, handler, moreLines = `(\w+)`, `(?:\w+\()?(\w+)\.(\w+)\b.*`, `(?:\n\t\t.*|\n\t\).*)*\n`
	return `^\trpc\.Handle\(\s*` + server + `,\s*"` + cmp.Or(regexp.QuoteMeta(queue), `[^"]+`) + `",\s*` + handler + moreLines
}

// ReadMethods returns how a service registers its methods.
func ReadMethods(tree *change.Tree, service string) (m *Methods, err error) {
	services, err := tree.Services()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(services, service) {
		return nil, change.Refuse("there is no service %s: the services are %s", service, strings.Join(services, ", "))
	}
	m = &Methods{tree: tree}
	folder := "services/" + service + "/internal/"
	if m.rpc, err = readFolder(tree, folder+"adapters/rpc"); err != nil {
		return nil, err
	}
	if m.app, err = readFolder(tree, folder+"app"); err != nil {
		return nil, err
	}
	find := func(in files, pattern, example string) (group string) {
		file, _, groups := in.find(pattern)
		if file == "" && err == nil {
			err = change.Refuse("%sadapters/rpc registers no methods in a form such as %s", folder, example)
		}
		return groups[0]
	}
	_, _, registered := m.rpc.find(registration(""))
	m.UseCases = find(m.rpc, `^func Register\(\w+ \*rpc\.Server, \w+ \*app\.(\w+)\) \{$`, "Register(server *rpc.Server, orders *app.Orders)")
	find(m.rpc, registration(""), `rpc.Handle(server, "stock.get", h.get)`)
	m.handlers = find(m.rpc, `^\t`+registered[1]+` := &?(\w+)\{`, "h := handlers{orders}")
	m.HandlersReceiver = find(m.rpc, `^func \((\w+ \*?`+m.handlers+`)\) `, "func (h handlers) get(…)")
	m.UseCasesReceiver = find(m.app, `^func \((\w+ \*?`+m.UseCases+`)\) `, "func (s *Orders) Get(…)")
	field := find(m.rpc, `^(?:type `+m.handlers+` struct\{ |\t)(\w+) +\*app\.`+m.UseCases+`\b`, "type handlers struct{ orders *app.Orders }")
	caller, _, _ := m.rpc.find(`^func asCaller\[`)
	m.HasCaller = caller != ""
	variable, _, _ := strings.Cut(m.HandlersReceiver, " ")
	m.Call = variable + "." + field
	return m, err
}

// Registered returns where Register has a method, as file:line, or "".
func (m *Methods) Registered(queue string) string { return position(m.rpc.find(registration(queue))) }

// Declared returns where a name is declared that a new method would declare too, as file:line, or "".
func (m *Methods) Declared(handler, useCase string) string {
	declared := func(in files, names, typ, method string) string {
		return position(in.find(`^(?:func|type|var|const) (?:` + names + `)\b|^func \(\w+ \*?` + typ + `\) ` + method + `\(`))
	}
	return cmp.Or(
		declared(m.rpc, handler+"Input|"+handler+"Output|Test"+useCase, m.handlers, handler),
		declared(m.app, useCase+"Input|"+useCase+"Output", m.UseCases, useCase),
	)
}

func position(file string, line int, _ []string) string {
	if file == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// Register registers a method below the others.
func (m *Methods) Register(queue, handler string, withCaller bool) error {
	file, _, _ := m.rpc.find(registration(""))
	text := m.rpc[file]
	all := regexp.MustCompile("(?m)"+registration("")).FindAllStringSubmatchIndex(text, -1)
	last := all[len(all)-1]
	server, call := text[last[2]:last[3]], text[last[4]:last[5]]+"."+handler
	if withCaller {
		call = "asCaller(" + call + ")"
	}
	return write(m.tree, file, fmt.Sprintf("%s\trpc.Handle(%s, %q, %s)\n%s", text[:last[1]], server, queue, call, text[last[1]:]))
}

// Remove removes the line that registers a method, and its files. It removes only the handler if that is in another file.
func (m *Methods) Remove(queue string) error {
	file, _, groups := m.rpc.find(registration(queue))
	handler := `(?:^//.*\n)*^func \((?:\w+ )?\*?` + m.handlers + `\) ` + groups[2] + `\((?:.*\}\n|(?s:.*?)^\}\n)`
	err := m.cut(file, registration(queue))
	names := MethodFiles(queue)
	if in, _, _ := m.rpc.find(handler); in != names[1] {
		return errors.Join(err, m.cut(in, handler))
	}
	for _, name := range names {
		err = errors.Join(err, m.tree.Remove(name))
	}
	return err
}

// cut removes what a pattern matches from a file of the adapter.
func (m *Methods) cut(file, pattern string) error {
	m.rpc[file] = regexp.MustCompile("(?m)"+pattern).ReplaceAllString(m.rpc[file], "")
	return write(m.tree, file, m.rpc[file])
}

// MethodFiles returns the files of a method that warren new method has made: the use case, the handler and its test. Their
// names have no underscores, since export_js.go would be for one platform only.
func MethodFiles(queue string) []string {
	service, method, _ := strings.Cut(queue, ".")
	folder, name := "services/"+service+"/internal/", strings.ToLower(method)
	return []string{folder + "app/" + name + ".go", folder + "adapters/rpc/" + name + ".go", folder + "adapters/rpc/" + name + "_test.go"}
}
