package source

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	adapterFile  = "services/stock/internal/adapters/rpc/rpc.go"
	useCasesFile = "services/stock/internal/app/stock.go"

	adapterText = `package rpc

// Register registers the methods.
func Register(server *rpc.Server, stock *app.Stock) {
	h := &handlers{stock}
	rpc.Handle(server, "stock.get", asCaller(h.get)) // one
	rpc.Handle(
		server, "stock.set", h.set,
		rpc.WithStatus(201),
	)

	log()
}

func asCaller[In any]() {}

type handlers struct {
	stock *app.Stock // the use cases
}

// get gets.
func (x *handlers) get() {
	x.stock.Get()
}

func (x *handlers) set() { x.stock.Set() }

func later() {}
`
	useCasesText = "package app\n\n// Stock is stock.\ntype Stock struct{}\n\nfunc (s Stock) Get() {}\n"
)

// readMethods reads the methods of a service stock, with texts in place of those above.
func readMethods(t *testing.T, replaced ...string) (*Methods, error) {
	t.Helper()
	tree := newTree(t, useCasesFile, strings.NewReplacer(replaced...).Replace(useCasesText))
	for name, text := range map[string]string{
		"services/stock/go.mod": "module example.com/shop/services/stock\n",
		adapterFile:             strings.NewReplacer(replaced...).Replace(adapterText),
	} {
		if err := tree.Write(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return ReadMethods(tree, "stock")
}

func TestReadMethods(t *testing.T) {
	m, err := readMethods(t)
	if err != nil {
		t.Fatal(err)
	}
	want := &Methods{
		UseCases: "Stock", UseCasesReceiver: "s Stock", HandlersReceiver: "x *handlers", Call: "x.stock", HasCaller: true,
	}
	if diff := cmp.Diff(want, m, cmpopts.IgnoreUnexported(Methods{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for name, test := range map[string]struct{ got, want string }{
		"registered":     {m.Registered("stock.set"), adapterFile + ":7"},
		"not registered": {m.Registered("stock.se"), ""},
		"handler":        {m.Declared("set", "Put"), adapterFile + ":26"},
		"use case":       {m.Declared("put", "Get"), useCasesFile + ":6"},
		"neither":        {m.Declared("put", "Put"), ""},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", name, test.got, test.want)
		}
	}
}

func TestReadMethodsOfAnotherForm(t *testing.T) {
	for name, test := range map[string]struct{ before, after, example string }{
		"no Register":       {"func Register(", "func Serve(", "Register(server"},
		"other use cases":   {"*app.Stock)", "app.Stock)", "Register(server"},
		"other calls":       {"rpc.Handle(", "server.Handle(", "rpc.Handle(server"},
		"no literal":        {"&handlers{stock}", "newHandlers(stock)", "h := handlers{orders}"},
		"no handlers":       {"func (x *handlers) ", "func ", "func (h handlers)"},
		"no use cases":      {"func (s Stock) ", "func ", "func (s *Orders)"},
		"use cases missing": {"stock *app.Stock //", "stock any //", "type handlers struct{"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readMethods(t, test.before, test.after)
			checkError(t, err, "services/stock/internal/adapters/rpc registers no methods in a form such as "+test.example)
		})
	}
	_, err := ReadMethods(newTree(t, "services/orders/go.mod", ""), "stock")
	checkError(t, err, "there is no service stock: the services are orders")
}

// TestRegister: removing takes back what was added.
func TestRegister(t *testing.T) {
	m, err := readMethods(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Register("stock.put", "put", true); err != nil {
		t.Fatal(err)
	}
	last := "rpc.WithStatus(201),\n\t)\n"
	checkText(t, m.tree, adapterFile, strings.Replace(adapterText, last, last+"\trpc.Handle(server, \"stock.put\", asCaller(h.put))\n", 1))
	for _, name := range MethodFiles("stock.put") {
		if err := m.tree.Write(name, []byte("package x\n\nfunc (x *handlers) put() {\n}\n")); err != nil {
			t.Fatal(err)
		}
	}
	if m, err = ReadMethods(m.tree, "stock"); err != nil {
		t.Fatal(err)
	}
	if err := m.Remove("stock.put"); err != nil {
		t.Fatal(err)
	}
	checkText(t, m.tree, adapterFile, adapterText)
	for _, name := range MethodFiles("stock.put") {
		if m.tree.Exists(name) {
			t.Errorf("%s is left", name)
		}
	}
}

// TestRemoveHandler removes methods whose handlers are in a file with others.
func TestRemoveHandler(t *testing.T) {
	for queue, gone := range map[string][]string{
		"stock.get": {
			"\trpc.Handle(server, \"stock.get\", asCaller(h.get)) // one\n",
			"// get gets.\nfunc (x *handlers) get() {\n\tx.stock.Get()\n}\n\n",
		},
		"stock.set": {
			"\trpc.Handle(\n\t\tserver, \"stock.set\", h.set,\n\t\trpc.WithStatus(201),\n\t)\n", "func (x *handlers) set() { x.stock.Set() }\n\n",
		},
	} {
		t.Run(queue, func(t *testing.T) {
			m, err := readMethods(t)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Remove(queue); err != nil {
				t.Fatal(err)
			}
			checkText(t, m.tree, adapterFile, strings.NewReplacer(gone[0], "", gone[1], "").Replace(adapterText))
		})
	}
}
