package change

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newCheckout makes a small checkout under git, and makes it the working directory.
func newCheckout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		".gitignore":             "ignored\n",
		"ignored":                "by git\n",
		"go.work":                "go 1.26.0\n",
		"pkg/go.mod":             "module example.com/shop/pkg\n",
		"services/orders/go.mod": "module example.com/shop/services/orders\n",
		"tools/generate/main.go": "package main\n",
		"docs/old/one.md":        "one\n",
		"docs/old/two.md":        "two\n",
	} {
		if err := writeFile(filepath.Join(root, name), []byte(text), filePermissions); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("docs", filepath.Join(root, "manual")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "."},
		{"-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "--message=all"},
	} {
		if _, err := Git(t.Context(), root, args...); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	return root
}

// edit changes one file, adds two and removes a folder.
func edit(_ context.Context, tree *Tree) error {
	return errors.Join(
		tree.Write("go.work", []byte("go 1.26.1\n")),
		tree.Write("services/stock/go.mod", []byte("module x\n")),
		tree.Write("services/stock/stock.go", []byte("package stock\n")),
		tree.Remove("docs/old"),
	)
}

// contents returns the files of a checkout that git tracks, or would.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	_, files, err := copyCheckout(t.Context(), root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for name, f := range files {
		texts[name] = string(f.content)
	}
	return texts
}

func TestWrite(t *testing.T) {
	root := newCheckout(t)
	want := contents(t, root)
	want["go.work"] = "go 1.26.1\n"
	want["services/stock/go.mod"] = "module x\n"
	want["services/stock/stock.go"] = "package stock\n"
	delete(want, "docs/old/one.md")
	delete(want, "docs/old/two.md")

	t.Chdir("services")
	var out bytes.Buffer
	if err := (Flags{}).Run(t.Context(), &out, edit, "make test"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, contents(t, root)); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat("../docs"); err == nil {
		t.Error("the empty folder docs is left")
	}
	wantOut := `Wrote 5 files:
  added   services/stock/ (2 files)
  changed go.work
  removed docs/ (2 files)

Next:
  cd ` + root + `
  make test

Undo:
  git checkout . && git clean -fd
`
	if diff := cmp.Diff(wantOut, out.String()); diff != "" {
		t.Error(diff)
	}
	if err := (Flags{Force: true}).Run(t.Context(), &out, edit); err != nil || !strings.HasSuffix(out.String(), "Nothing to change.\n") {
		t.Errorf("the second time: %v, %s", err, &out)
	}
}

// TestDryRun: the diff is what git applies to get the same files, and nothing is written.
func TestDryRun(t *testing.T) {
	root := newCheckout(t)
	before := contents(t, root)
	var out bytes.Buffer
	if err := (Flags{DryRun: true}).Run(t.Context(), &out, edit); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, contents(t, root)); diff != "" {
		t.Errorf("something was written: %s", diff)
	}
	patch := filepath.Join(t.TempDir(), "patch")
	if err := os.WriteFile(patch, out.Bytes(), filePermissions); err != nil {
		t.Fatal(err)
	}
	if _, err := Git(t.Context(), root, "apply", patch); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	applied := contents(t, root)
	if applied["go.work"] != "go 1.26.1\n" || applied["services/stock/stock.go"] == "" || applied["docs/old/one.md"] != "" {
		t.Errorf("after git apply: %v", applied)
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		setUp func(t *testing.T, root string)
		flags Flags
		want  string
	}{
		"uncommitted": {
			setUp: func(t *testing.T, root string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(root, "go.work"), nil, filePermissions); err != nil {
					t.Fatal(err)
				}
			},
			want: "not committed",
		},
		"untracked": { // also for a user to whom git does not show these files
			setUp: func(t *testing.T, root string) {
				t.Helper()
				if _, err := Git(t.Context(), root, "config", "status.showUntrackedFiles", "no"); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, "new"), nil, filePermissions); err != nil {
					t.Fatal(err)
				}
			},
			want: "not committed",
		},
		"no git": {
			setUp: func(t *testing.T, root string) {
				t.Helper()
				if err := os.RemoveAll(filepath.Join(root, ".git")); err != nil {
					t.Fatal(err)
				}
			},
			want: "not under git",
		},
		"elsewhere": {
			setUp: func(t *testing.T, _ string) {
				t.Helper()
				t.Chdir(t.TempDir())
			},
			flags: Flags{Force: true},
			want:  "in no checkout of a Warren system",
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := newCheckout(t)
			test.setUp(t, root)
			err := test.flags.Run(t.Context(), t.Output(), func(context.Context, *Tree) error {
				t.Error("edit was called")
				return nil
			})
			if err == nil || !Refused(err) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want a refusal with %q", err, test.want)
			}
		})
	}
}

func TestFailedEditWritesNothing(t *testing.T) {
	root := newCheckout(t)
	before := contents(t, root)
	failure := errors.New("failed")
	err := Flags{}.Run(t.Context(), t.Output(), func(ctx context.Context, tree *Tree) error {
		return errors.Join(edit(ctx, tree), failure)
	})
	if !errors.Is(err, failure) {
		t.Errorf("error = %v", err)
	}
	if diff := cmp.Diff(before, contents(t, root)); diff != "" {
		t.Error(diff)
	}
}

// TestFailedWriteLeavesNothing has a link in the way of a folder, and a file that the user edits while the command runs.
func TestFailedWriteLeavesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func() error
		want      string
	}{
		"in the way": {
			func() error { return os.Symlink("nowhere", "services/stock") },
			"nothing is left",
		},
		"edited": {
			func() error { return os.WriteFile("docs/old/one.md", []byte("edited\n"), filePermissions) },
			"changed in the meantime",
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := newCheckout(t)
			var before map[string]string
			err := Flags{}.Run(t.Context(), t.Output(), func(ctx context.Context, tree *Tree) error {
				if err := test.meanwhile(); err != nil {
					return err
				}
				before = contents(t, root)
				return errors.Join(edit(ctx, tree), tree.Write("added/first", nil))
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
			if _, err := os.Lstat("added"); err == nil {
				t.Error("a folder is left")
			}
			if diff := cmp.Diff(before, contents(t, root)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
