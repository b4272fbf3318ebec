package origin

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/change"
)

func newTree(t *testing.T) *change.Tree {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "pkg"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "pkg", "go.mod"), []byte("module origin.example/pkg\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tree, err := change.OpenTree(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func read(t *testing.T, tree *change.Tree) *Origin {
	t.Helper()
	o, err := Read(tree)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTemplate(t *testing.T) {
	tree := newTree(t)
	want := &Origin{Template: "origin.example", Module: "origin.example", Name: "warren", Services: []string{}}
	if diff := cmp.Diff(want, read(t, tree)); diff != "" {
		t.Error(diff)
	}
	if err := SetGenerated(tree, "billing", true); err != nil {
		t.Fatal(err)
	}
	if tree.Exists(File) {
		t.Error("a service was recorded in the template")
	}
}

func TestSetGenerated(t *testing.T) {
	tree := newTree(t)
	if err := read(t, tree).Write(tree); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		service   string
		generated bool
		want      []string
	}{
		{"stock", true, []string{"stock"}},
		{"billing", true, []string{"billing", "stock"}},
		{"billing", true, []string{"billing", "stock"}},
		{"orders", false, []string{"billing", "stock"}},
		{"stock", false, []string{"billing"}},
		{"billing", false, []string{}},
	} {
		if err := SetGenerated(tree, step.service, step.generated); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, read(t, tree).Services); diff != "" {
			t.Errorf("after %s, %t: %s", step.service, step.generated, diff)
		}
	}
}

func TestUnreadable(t *testing.T) {
	tree := newTree(t)
	if err := tree.Write(File, []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(tree); err == nil {
		t.Error("no error")
	}
}
