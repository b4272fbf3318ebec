package source

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/change"
)

// newTree returns a tree that has one file beside what each has.
func newTree(t *testing.T, name, text string) *change.Tree {
	t.Helper()
	root := t.TempDir()
	if err := (&change.Tree{Root: root}).Write("pkg/go.mod", []byte("module example.com/shop/pkg\n")); err != nil {
		t.Fatal(err)
	}
	tree, err := change.OpenTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Write(name, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return tree
}

// checkText compares a file of the tree.
func checkText(t *testing.T, tree *change.Tree, name, want string) {
	t.Helper()
	got, err := tree.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s: -want +got\n%s", name, diff)
	}
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want %q", err, want)
	}
}
