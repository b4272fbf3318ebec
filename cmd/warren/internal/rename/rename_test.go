package rename

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/change"
	"example.com/warren/cmd/warren/internal/origin"
)

// before is a system named old. Its code has the old name as a word, as part of other words, and as the name of something else.
var before = map[string]string{
	"pkg/go.mod": `module old.example/old/pkg

go 1.26.0

require (
	new.example/lib v1.0.0
	old.example/old/events v0.0.0
	old.example/older v1.0.0
)

replace old.example/old/events => ../events
`,
	"code.go": `// Package code is part of Old, not of Older or OldSchool.
package code

import (
	"fmt"

	z "old.example/old-tools"
	"old.example/old/pkg"
)

// See https://pkg.go.dev/old.example/old/pkg.
type config struct {
	Issuer string ` + "`default:\"old\"`" + `
}

var tool = []string{"old", "old dead"} // bin/old
`,
	"identifier.go": `package code

// Old is not new.
type Old struct{ pkg.Base } // of old.example/old/pkg
`,
	"compose.yaml":      "name: old\nservices:\n  old:\n    image: Old\n",
	"demo.env":          "COMPOSE_PROJECT_NAME=old-demo\n",
	"docs/settings.md":  "| `ISSUER` | `old` | `old dead` |\n",
	"docs/old.md":       "# Old\n\nOld's tool is `bin/old`. See github.com/Old/other and old.example/old.\n",
	"CHANGELOG.md":      "# Old\n\n## Old 0.2 (old.example/old)\n\nOld, old.example/old\n",
	"LICENSE":           "Copyright The Old Authors\n",
	"binary":            "Old\x00",
	".warren/other.txt": "Old\n",
}

// after is the system of before, renamed to new-kiosk.
var after = map[string]string{
	"pkg/go.mod": `module new.example/a/new/pkg

go 1.26.0

require (
	new.example/a/new/events v0.0.0
	new.example/lib v1.0.0
	old.example/older v1.0.0
)

replace new.example/a/new/events => ../events
`,
	"code.go": `// Package code is part of New Kiosk, not of Older or OldSchool.
package code

import (
	"fmt"

	"new.example/a/new/pkg"
	z "old.example/old-tools"
)

// See https://pkg.go.dev/new.example/a/new/pkg.
type config struct {
	Issuer string ` + "`default:\"new-kiosk\"`" + `
}

var tool = []string{"old", "old dead"} // bin/old
`,
	"identifier.go": `package code

// Old is not new.
type Old struct{ pkg.Base } // of new.example/a/new/pkg
`,
	"compose.yaml":      "name: new-kiosk\nservices:\n  old:\n    image: New Kiosk\n",
	"demo.env":          "COMPOSE_PROJECT_NAME=new-kiosk-demo\n",
	"docs/settings.md":  "| `ISSUER` | `new-kiosk` | `old dead` |\n",
	"docs/old.md":       "# New Kiosk\n\nNew Kiosk's tool is `bin/old`. See github.com/Old/other and new.example/a/new.\n",
	"CHANGELOG.md":      "# New Kiosk\n\n## Old 0.2 (old.example/old)\n\nNew Kiosk, new.example/a/new\n",
	"LICENSE":           "Copyright The Old Authors\n",
	"binary":            "Old\x00",
	".warren/other.txt": "New Kiosk\n",
}

func originOf(module, name string) *origin.Origin {
	return &origin.Origin{Template: "example.com/template", Version: "v1.0.0", Module: module, Name: name, Services: []string{"billing"}}
}

// newTree writes the files of a system that is named old.
func newTree(t *testing.T, files map[string]string) *change.Tree {
	t.Helper()
	root := t.TempDir()
	system := fstest.MapFS{}
	for name, text := range files {
		system[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if err := os.CopyFS(root, system); err != nil {
		t.Fatal(err)
	}
	tree, err := change.OpenTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := originOf("old.example/old", "old").Write(tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

func rename(t *testing.T, tree *change.Tree, module, name string, force bool) error {
	t.Helper()
	o, err := origin.Read(tree)
	if err != nil {
		t.Fatal(err)
	}
	return Tree(tree, o, module, name, force)
}

// contents returns the files of a tree but for the recorded origin.
func contents(t *testing.T, tree *change.Tree) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := fs.WalkDir(os.DirFS(tree.Root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == origin.File {
			return err
		}
		text, err := tree.Read(name)
		texts[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func TestTree(t *testing.T) {
	tree := newTree(t, before)
	for range 2 { // the second time changes nothing
		if err := rename(t, tree, "new.example/a/new", "new-kiosk", false); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(after, contents(t, tree)); diff != "" {
			t.Error(diff)
		}
		got, err := origin.Read(tree)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(originOf("new.example/a/new", "new-kiosk"), got); diff != "" {
			t.Error(diff)
		}
	}
	if err := rename(t, tree, "old.example/old", "old", true); err != nil { // the identifier is in the way
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, contents(t, tree)); diff != "" {
		t.Errorf("there and back: %s", diff)
	}
}

func TestModuleAlone(t *testing.T) {
	tree := newTree(t, before)
	if err := rename(t, tree, "old.example/old/x", "", false); err != nil { // which begins with the present path
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"docs/old.md": "Old's tool is", "compose.yaml": "name: old\n", "pkg/go.mod": "old.example/old/x/pkg\n",
	} {
		if got := contents(t, tree)[name]; !strings.Contains(got, want) {
			t.Errorf("%s is without %q: %s", name, want, got)
		}
	}
}

func TestNameInUse(t *testing.T) {
	for name, text := range map[string]string{
		"title": "\n\nThe Kiosk is open.",
		"value": "\n\nname: kiosk",
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t, before)
			if err := tree.Write("docs/text", []byte(text)); err != nil {
				t.Fatal(err)
			}
			err := rename(t, tree, "new.example/new", "kiosk", false)
			if err == nil || !change.Refused(err) || !strings.HasPrefix(err.Error(), "docs/text:3 ") {
				t.Errorf("error = %v", err)
			}
			if err := rename(t, tree, "new.example/new", "kiosk", true); err != nil {
				t.Error(err)
			}
		})
	}
	tree := newTree(t, before)
	if err := tree.Write("code.go", []byte("package code\n\ntype Kiosk struct{}\n")); err != nil {
		t.Fatal(err)
	}
	if err := rename(t, tree, "new.example/new", "kiosk", false); err != nil { // a later rename leaves code.go alone
		t.Error(err)
	}
}

func TestModuleOfOthers(t *testing.T) {
	for _, module := range []string{"new.example/lib", "new.example", "new.example/lib/x", "old.example"} {
		if err := rename(t, newTree(t, before), module, "", true); err == nil || !change.Refused(err) {
			t.Errorf("%s: error = %v", module, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		module, name string
		valid        bool
	}{
		{"github.com/acme/shop", "", true},
		{"example.com/shop", "shop", true},
		{"acme.dev", "shop-2", true},
		{"github.com/Acme/shop/v2", "warren", true},
		{"", "", false},
		{"shop", "", false},
		{"net/http", "", false}, // of the standard library
		{"github.com/acme/shop/", "", false},
		{"https://github.com/acme/shop", "", false},
		{"../shop", "", false},
		{"github.com/../shop", "", false},
		{"github.com/acme/my shop", "", false},
		{"github.com/acme/größe", "", false},
		{"example.com/shop", "SHOP", false},
		{"example.com/shop", "web shop", false},
		{"example.com/shop", "-shop", false},
		{"example.com/shop", "web--shop", false},
		{"example.com/shop", "2", false},
		{"example.com/shop", "größe", false},
		{"example.com/shop", strings.Repeat("a", maxName), true},
		{"example.com/shop", strings.Repeat("a", maxName+1), false},
	} {
		err := Check(test.module, test.name)
		if (err == nil) != test.valid || err != nil && !change.Refused(err) {
			t.Errorf("Check(%q, %q) = %v, want valid: %t", test.module, test.name, err, test.valid)
		}
	}
}
