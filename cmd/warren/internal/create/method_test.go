package create

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/warren/cmd/warren/internal/source"
)

// methodText returns the files that new method makes for a service with callers.
func methodText(t *testing.T, c *methodCommand, useCases string) (files []txtar.File) {
	t.Helper()
	m, err := c.parse()
	if err != nil {
		t.Fatal(err)
	}
	m.Module, m.AsCaller = "example.com/shop", true
	m.Methods = &source.Methods{
		UseCases: useCases, UseCasesReceiver: "s *" + useCases, HandlersReceiver: "h handlers", Call: "h.useCases",
	}
	for i, name := range source.MethodFiles(c.Method) {
		text, err := m.text(methodTexts[i])
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, txtar.File{Name: name, Data: text})
	}
	return files
}

func TestMethodText(t *testing.T) {
	for file, c := range map[string]*methodCommand{
		"testdata/refund.txtar": {
			Method: "orders.refund", Route: "POST /orders/:id/refund", Input: []string{"reason:string", "paidAt:time", "amount:int"},
		},
		"testdata/getitemids.txtar": {
			Method: "orders.getItemIds", Route: "GET /orders/:orderId/items", Input: []string{"tags:[]string", "open:bool"},
		},
	} {
		t.Run(file, func(t *testing.T) {
			got := txtar.Format(&txtar.Archive{Files: methodText(t, c, "Orders")})
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestMethodAtTheLimit makes files of the longest names. The linter allows lines of 140 bytes, and longer ones with tags.
func TestMethodAtTheLimit(t *testing.T) {
	c := &methodCommand{
		Method: strings.Repeat("s", 19) + "." + strings.Repeat("m", 30), Internal: true,
		Input: []string{"first:string", "second:time", "third:[]int", "fourth:float", "fifth:bool", "sixth:[]string"},
	}
	for _, file := range methodText(t, c, strings.Repeat("U", 30)) {
		for line := range strings.Lines(string(file.Data)) {
			if len(line) > 141 {
				t.Errorf("%s: %s", file.Name, line)
			}
		}
	}
}
