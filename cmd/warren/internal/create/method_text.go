package create

import (
	"bytes"
	"fmt"
	"go/format"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/ettle/strcase"

	"example.com/warren/cmd/warren/internal/source"
)

// method is what the files of a new method are made of.
type method struct {
	*source.Methods

	Module, Service, Queue string // example.com/warren, orders, orders.refund
	Name, Type             string // refund, Refund
	AsCaller               bool   // the use case gets the caller
	Fields                 []field
}

// field is a field of the input.
type field struct {
	Name, Type, Tag string
	from            string // json, query or param
	element         string // of what the test sends there
}

// fieldTypes are the types of fields: in Go, and a value in JSON.
var fieldTypes = map[string][2]string{
	"string":   {"string", `"text"`},
	"int":      {"int", `1`},
	"float":    {"float64", `1.5`},
	"bool":     {"bool", `true`},
	"time":     {"time.Time", `"2026-03-01T12:00:00Z"`},
	"[]string": {"[]string", `["text"]`},
	"[]int":    {"[]int", `[1]`},
}

// addField adds a field to the input, which comes from json, query or param and has the name key there. Numbers and booleans
// are not required, which would exclude 0 and false.
func (m *method) addField(from, key, kind string) {
	goType, value := fieldTypes[kind][0], fieldTypes[kind][1]
	f := field{Name: goName(key, strcase.ToGoPascal), Type: goType, from: from, element: fmt.Sprintf("%q: %s", key, value)}
	f.Tag = fmt.Sprintf(`json:"-" %s:%q`, from, key)
	if from == "json" {
		f.Tag = fmt.Sprintf(`json:%q`, key)
	}
	if from == "query" {
		f.element = fmt.Sprintf("%q: {%q}", key, strings.Trim(value, `"[]`))
	} else if strings.Contains(value, `"`) || strings.Contains(value, "[") {
		f.Tag += ` validate:"required"`
	}
	m.Fields = append(m.Fields, f)
}

var ids = regexp.MustCompile(`Ids([A-Z]|$)`)

// goName returns an identifier that the linter accepts.
func goName(name string, toGo func(string) string) string {
	return ids.ReplaceAllString(toGo(name), "IDs$1")
}

// Sent returns the elements of what the test sends in a part of its request.
func (m *method) Sent(from string) string {
	var elements []string
	for _, f := range m.Fields {
		if f.from == from {
			elements = append(elements, f.element)
		}
	}
	if line := strings.Join(elements, ", "); len(line) < 80 {
		return line
	}
	return strings.Join(elements, ",\n\t\t")
}

// Body returns the body that the test sends, as a string in Go, or "".
func (m *method) Body() string {
	if elements := m.Sent("json"); elements != "" {
		return "`{" + elements + "}`"
	}
	return ""
}

// HasTime reports whether the input has a time.
func (m *method) HasTime() bool {
	return slices.ContainsFunc(m.Fields, func(f field) bool { return f.Type == "time.Time" })
}

// Break is a line break where a line would be too long without it.
func (m *method) Break() string {
	if max(len(m.UseCases), 14)+3*len(m.Name) > 68 {
		return "\n"
	}
	return ""
}

// text returns one of the files.
func (m *method) text(t *template.Template) ([]byte, error) {
	var b bytes.Buffer
	if err := t.Execute(&b, m); err != nil {
		return nil, err
	}
	return format.Source(b.Bytes())
}

// methodTexts are the files of a method, in the order of source.MethodFiles.
var methodTexts = []*template.Template{
	template.Must(template.New("").Parse(`package app

import (
	"context"
	"errors"
	{{- if .HasTime}}
	"time"{{end}}
)

// {{.Type}}Input is the input of {{.UseCases}}.{{.Type}}.
type {{.Type}}Input struct{ {{- range .Fields}}
	{{.Name}} {{.Type}}{{end}}{{with .Fields}}
{{end}}}

// {{.Type}}Output is the output of {{.UseCases}}.{{.Type}}.
type {{.Type}}Output struct{}

// {{.Type}} returns errors.ErrUnsupported until it is written.
func ({{.UseCasesReceiver}}) {{.Type}}({{.Break}}_ context.Context{{if .AsCaller}}, _ Caller{{end}}, _ {{.Type}}Input
	{{- with .Break}},{{.}}{{end}}) ({{.Type}}Output, error) {
	return {{.Type}}Output{}, errors.ErrUnsupported
}
`)),
	template.Must(template.New("").Parse(`package rpc

import (
	"context"
	"errors"
	"net/http"
	{{- if .HasTime}}
	"time"{{end}}

	"{{.Module}}/pkg/rpc"
	"{{.Module}}/services/{{.Service}}/internal/app"
)

type {{.Name}}Input struct{ {{- range .Fields}}
	{{.Name}} {{.Type}} ` + "`{{.Tag}}`" + `{{end}}{{with .Fields}}
{{end}}}

type {{.Name}}Output struct{}

func ({{.HandlersReceiver}}) {{.Name}}({{.Break}}ctx context.Context{{if .AsCaller}}, caller app.Caller{{end}}, in {{.Name}}Input
	{{- with .Break}},{{.}}{{end}}) ({{.Name}}Output, error) {
	out, err := {{.Call}}.{{.Type}}(ctx{{if .AsCaller}}, caller{{end}}, app.{{.Type}}Input(in))
	if errors.Is(err, errors.ErrUnsupported) { // remove this once {{.Type}} is written
		err = rpc.NewError(http.StatusNotImplemented, "{{.Queue}} is not implemented yet").WithCause(err)
	}
	return {{.Name}}Output(out), err
}
`)),
	template.Must(template.New("").Parse(`package rpc_test

import (
	"net/http"
	{{- if .Sent "query"}}
	"net/url"{{end}}
	"testing"

	"{{.Module}}/pkg/messaging/inmem"
	"{{.Module}}/pkg/rpc"
	"{{.Module}}/pkg/service/servicetest"
	adapter "{{.Module}}/services/{{.Service}}/internal/adapters/rpc"
	"{{.Module}}/services/{{.Service}}/internal/app"
)

// Test{{.Type}} calls {{.Queue}} while that is not implemented.
//
// Afterwards, replace new(app.{{.UseCases}}) by use cases with their ports, and
// http.StatusNotImplemented by the status of success, and compare the body of the reply.
func Test{{.Type}}(t *testing.T) {
	queues := inmem.NewServer()
	servicetest.Serve(t, queues, "{{.Service}}", func(server *rpc.Server) {
		adapter.Register(server, new(app.{{.UseCases}}))
	})
	client := servicetest.NewClient(t, queues)
	user := &rpc.Identity{Subject: "user"}
	{{- with .Body}}
	const body = {{.}}{{end}}
	tests := map[string]struct {
		caller *rpc.Identity
		{{- if .Body}}
		body string{{end}}
		status int
	}{
		"valid": {user, {{if .Body}}body, {{end}}http.StatusNotImplemented},
		{{- if .Body}}
		"wrong input": {user, "[]", http.StatusUnprocessableEntity},{{end}}
		{{- if .AsCaller}}
		"not logged in": {nil, {{if .Body}}body, {{end}}http.StatusUnauthorized},{{end}}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			reply, err := client.Do(t.Context(), &rpc.Request{
				Queue: "{{.Queue}}", Identity: test.caller,
				{{- with .Sent "param"}}
				Params: map[string]string{ {{.}} },{{end}}
				{{- with .Sent "query"}}
				Query: url.Values{ {{.}} },{{end}}
				{{- if .Body}}
				ContentType: "application/json", Body: []byte(test.body),{{end}}
			})
			if err != nil {
				t.Fatal(err)
			}
			if reply.Status != test.status {
				t.Errorf("status %d, want %d: %s", reply.Status, test.status, reply.Body)
			}
		})
	}
}
`)),
}
